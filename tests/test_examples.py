"""The examples people copy are configurations that work, and the published schema is the one the code has."""

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml
from typer.testing import CliRunner

from monitor.cli import app
from monitor.config import load, loader, schema

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "seawall.yaml"
ENV = {
    "ETH_WS": "wss://node.example.org/v2/key",
    "ETH_WS_2": "wss://user:key@other.example.org",
    "SEAWALL_TOKEN": "0123456789abcdef0123456789abcdef",
    "WHSEC": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "SENTRY_DSN": "https://key@sentry.example.org/1",
}


def test_the_example_passes_the_check_with_the_environment_it_documents() -> None:
    text = EXAMPLE.read_text()
    assert all(name in text.split("version: 1")[0] for name in ENV)
    result = CliRunner().invoke(app, ["check", str(EXAMPLE)], env=ENV)
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "ok: 2 chains over 3 nodes, 2 integrations (1 shadow) with 3 contracts, 3 receivers, 1 token; hash "
    )


def test_the_check_gives_programs_the_same_answer_as_people(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", "--json", str(EXAMPLE)], env=ENV)
    answer = json.loads(result.stdout)
    assert answer == {
        "ok": True, "hash": load(EXAMPLE, ENV).hash, "chains": 2, "nodes": 3, "integrations": 2, "shadow": 1, "contracts": 3,
        "receivers": 3, "tokens": 1,
    }  # fmt: skip
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nchains: {}\n")
    refused = CliRunner().invoke(app, ["check", "--json", str(bad)])
    assert refused.exit_code == 2
    assert json.loads(refused.stdout) == {"ok": False, "problems": ["chains: needs at least one (line 2)"]}


def test_the_check_refuses_detectors_and_channels_that_the_daemon_would_refuse(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    example = EXAMPLE.read_text().replace("drain: {warn_share: 0.1}", "drain: {warn_shard: 0.1}")
    bad.write_text(example.replace("{channel: console}", "{channel: fax}"))
    refused = CliRunner().invoke(app, ["check", "--json", str(bad)], env=ENV)
    assert refused.exit_code == 2
    problems = json.loads(refused.stdout)["problems"]
    assert [problem.partition(":")[0] for problem in problems] == ["detectors.drain", "alerts.receivers.console.channel"]
    assert "warn_shard" in problems[0]


def test_the_example_says_everything_a_configuration_can_say() -> None:
    data = loader.read(EXAMPLE.read_text()).data
    definitions = {name: made for name, made in schema()["$defs"].items() if "properties" in made}
    pair = data["integrations"]["uniswap-v2-usdc-weth"]
    said = {
        "File": data,
        "ChainConfig": data["chains"]["ethereum"],
        "Node": data["chains"]["ethereum"]["nodes"][0],
        "Checkpoint": data["chains"]["ethereum"]["checkpoint"],
        "Confirmations": data["chains"]["ethereum"]["confirmations"],
        "GasConfig": data["chains"]["ethereum"]["gas"],
        "RerunsConfig": data["chains"]["ethereum"]["reruns"],
        "BlobRules": data["chains"]["ethereum"]["gas"]["blobs"][0],
        "Integration": pair,
        "Contract": pair["contracts"][0] | data["integrations"]["savings-dai"]["contracts"][1],
        "Sanctions": data["sanctions"],
        "PartyFile": data["sanctions"]["lists"][0],
        "PriceSource": data["prices"]["ethereum"][0],
        "Policy": data["policies"]["default"],
        "Alerts": data["alerts"],
        "Route": data["alerts"]["routes"][0],
        "Api": data["api"],
        "TokenConfig": data["api"]["tokens"][0],
        "JournalConfig": data["journal"],
        "CanaryConfig": data["canary"],
        "PauseTarget": pair["pause_target"],
        "Sentry": data["sentry"],
        "Tracing": data["tracing"],
        "Log": data["log"],
    }
    assert said.keys() | {"Receiver"} == definitions.keys()
    assert {name: set(part) for name, part in said.items()} == {name: set(definitions[name]["properties"]) for name in said}


def test_the_values_the_example_gives_for_the_default_policy_are_the_defaults() -> None:
    config = load(EXAMPLE, ENV)
    assert config.policies["default"] == type(config.policies["default"])()


def test_the_published_schema_is_the_generated_one_and_accepts_the_example() -> None:
    published = json.loads((ROOT / "seawall.schema.json").read_text())
    assert published == schema(), "run: seawall schema > seawall.schema.json"
    validator = jsonschema.Draft202012Validator(published)
    jsonschema.Draft202012Validator.check_schema(published)
    data = loader.read(EXAMPLE.read_text()).data
    validator.validate(data)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(data | {"chians": {}})
    data["policies"]["default"]["min_open"] = "ten minutes"
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(data)


def test_the_schema_command_prints_the_published_file() -> None:
    assert CliRunner().invoke(app, ["schema"]).stdout == (ROOT / "seawall.schema.json").read_text()


def test_an_editor_reads_the_example_as_we_do() -> None:
    """Plain YAML agrees, because the example quotes what plain YAML would misread."""
    assert yaml.safe_load(EXAMPLE.read_text()) == loader.read(EXAMPLE.read_text()).data
