"""The page on writing a detector, believed word for word: its code is installed and used, and then broken."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from detectors import PlugInError, discover
from detectors.base import Watch
from detectors.events import Block, Position, Reverted, Stage
from detectors.execution import Execution
from monitor import metrics
from monitor.api.reload import Reloads
from monitor.api.tokens import Tokens, configured
from monitor.assembly import build_detectors, buildable, registry_of
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode
from monitor.breaker.policy import Rules
from monitor.config import load
from monitor.errors import ConfigError
from monitor.pipeline import Pipeline, Watched
from tests.support.daemon import TOKEN, settings
from tests.support.executions import call, execution
from tests.support.parts import ROOT

PAGE = (ROOT / "docs" / "writing-a-detector.md").read_text()
CODE, PROJECT, SETTINGS = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[0] for kind in ("python", "toml", "yaml"))
CHAIN, BANK, THIEF, SENDER = "eip155:1", "0x" + "b0" * 20, "0x" + "a0" * 20, "0x" + "e1" * 20


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages that holds the page's detector, as an installer would have left it."""
    folder = tmp_path / "site"
    info = folder / "first_payment-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "first_payment.py").write_text(CODE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: first_payment\nVersion: 1.0\n")
    named = re.findall(r'entry-points\."(.*?)"\]\n(\w+) = "(.*?)"', PROJECT)
    (info / "entry_points.txt").write_text("".join(f"[{group}]\n{name} = {value}\n" for group, name, value in named))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.delitem(sys.modules, "first_payment", raising=False)
    return folder


async def seawall(folder: Path, *arguments: str, module: str = "monitor") -> tuple[int, str, str]:
    """A command in an environment where the folder's packages are installed."""
    pipe, env = asyncio.subprocess.PIPE, {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "160", "TOKEN": TOKEN}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=ROOT, env=env, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def paid(height: int | None, *, tx: str = "0x1") -> Execution:
    """The bank pays 200 ether to whom it was told to."""
    asked = call(BANK, "withdraw()", call(THIEF, value=200 * 10**18))
    made = execution(asked)
    place = Position(height, f"0x{height}") if height is not None else None
    stage = Stage.PENDING if height is None else Stage.INCLUDED
    return replace(made, tx=tx, stage=stage, position=place)


async def test_inspect_judges_with_it(site: Path, tmp_path: Path) -> None:
    call = {"type": "CALL", "from": SENDER, "to": BANK, "value": "0x0", "input": "0x3ccfd60b"}
    pay = {"type": "CALL", "from": BANK, "to": THIEF, "value": hex(200 * 10**18), "input": "0x"}
    (tmp_path / "trace.json").write_text(json.dumps(call | {"calls": [pay]}))
    code, out, err = await seawall(site, "inspect", "--json", str(tmp_path / "trace.json"))
    assert (code, err) == (0, "")
    (found,) = [one for one in json.loads(out)["findings"] if one["detector"] == "first_payment"]
    assert (found["kind"], found["severity"], found["victims"]) == ("unknown_payee", "warning", [BANK])
    assert found["title"] == f"{BANK} paid 200.0 ether to {THIEF} for the first time"


@pytest.mark.usefixtures("site")
def test_the_pipeline_runs_it_and_a_reorg_takes_back_what_it_learnt() -> None:
    kind = discover()["first_payment"]
    watched = Watched(integration="bank", chain=CHAIN, contracts=(BANK,), rules=Rules(), finality="finalized")
    detector = kind({CHAIN: Watch(watched=frozenset({BANK}))})  # type: ignore[call-arg]
    pipeline = Pipeline({CHAIN: [detector]}, [watched], Fold({"bank": Mode.ENFORCE}))

    def said(event: object) -> list[str]:
        judged, _ = pipeline.step(event)  # type: ignore[arg-type]
        assert not judged.failed
        return [finding.kind for finding in judged.findings]

    def block(height: int) -> Block:
        return Block(chain=CHAIN, at=1.0, position=Position(height, f"0x{height}"), timestamp=1.0)

    said(block(1))
    assert (said(paid(None)), said(paid(None))) == (["unknown_payee"], ["unknown_payee"]), "what is pending teaches nothing"
    assert (said(paid(1)), said(paid(1, tx="0x2"))) == (["unknown_payee"], [])
    said(Reverted(chain=CHAIN, at=1.0, first=Position(1, "0x1"), last=Position(1, "0x1")))
    said(block(1))
    assert said(paid(1)) == ["unknown_payee"]


async def test_every_detector_s_promises_are_held_against_it_too(site: Path) -> None:
    arguments = ("-q", "-p", "no:cacheprovider", "tests/conformance/test_detectors.py", "-k", "first_payment")
    code, out, _ = await seawall(site, *arguments, module="pytest")
    assert code == 0, out
    assert int(re.findall(r"(\d+) passed", out)[0]) >= 15


def configuration(folder: Path, **detectors: object) -> Path:
    written = settings(folder, "ws://127.0.0.1:1") | {"detectors": detectors}
    (folder / "seawall.yaml").write_text(yaml.safe_dump(written))
    return folder / "seawall.yaml"


async def test_its_arguments_are_configuration(site: Path, tmp_path: Path) -> None:
    told = yaml.safe_load(SETTINGS)["detectors"]
    assert (await seawall(site, "check", str(configuration(tmp_path, **told))))[0] == 0
    code, _, err = await seawall(site, "check", str(configuration(tmp_path, first_payment={"gold": 1})))
    assert (code, "detectors.first_payment: " in err) == (2, True)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("import nowhere_to_be_found", "cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('of its own')", "cannot be imported: RuntimeError: of its own"),
        ("FirstPayment = 7", "is no class derived from detectors.base.Detector"),
        (
            "from detectors.base import Detector\nclass FirstPayment(Detector): pass",
            "says nothing of its name, summary, wants, kinds",
        ),
    ],
    ids=["missing", "raising", "no class", "unnamed"],
)
async def test_one_that_cannot_be_used_is_told_by_check_and_never_skipped(
    site: Path, tmp_path: Path, broken: str, why: str
) -> None:
    (site / "first_payment.py").write_text(broken)
    line = f"plug-in first_payment (first_payment:FirstPayment of first_payment): {why}; mend or uninstall it"
    with pytest.raises(PlugInError, match=re.escape(line)):
        discover()
    if "nowhere" in broken:
        for command in (("check", str(configuration(tmp_path))), ("inspect", "nothing.json")):
            code, out, err = await seawall(site, *command)
            assert (code, out, err.strip()) == (2, "", line)


async def test_a_daemon_keeps_what_it_began_with_when_a_reload_finds_it_broken(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    config = load(configuration(tmp_path))
    began, known = build_detectors(config, registry_of(config)), discover()
    reloads = Reloads(config, Tokens(configured(config)), buildable)
    (site / "first_payment.py").write_text("import nowhere_to_be_found")
    del sys.modules["first_payment"]
    with pytest.raises(ConfigError, match="nowhere_to_be_found"):
        await reloads.reload()
    assert metrics.RELOAD_OK._value.get() == 0
    again = build_detectors(config, registry_of(config), known)  # a chain's watch that begins anew
    assert [type(one) for one in again] == [type(one) for one in began]
    assert "first_payment" in {one.name for one in again}
