"""Secrets, node URLs and tokens in a configuration: read from where they are, refused without being repeated."""

import pickle
from pathlib import Path

import pytest

from monitor.config import load, parse
from monitor.errors import ConfigError

ENV = {"ETH_WS": "wss://node.example.org/v2/magpie-key", "TOKEN": "magpie-token-0123456789"}
CHAINS = 'version: 1\nchains: {ethereum: {id: "eip155:1", nodes: [{name: alpha, ws: "${ETH_WS}"}]}}\n'


def problems(text: str, env: dict[str, str] = ENV) -> list[str]:
    """What is wrong with this configuration."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "seawall.yaml", env)
    return caught.value.problems


SECRETS = """version: 1
chains: {local: {id: "eip155:1", nodes: [{name: a, ws: "${ETH_WS}"}]}}
alerts: {receivers: {hook: {channel: webhook, url: "https://x.example.org", secret: "file:hook", urls: ["${TOKEN}"]}}}
api: {tokens: [{name: ops, secret: "${TOKEN}", scopes: [pause]}]}
sentry: {dsn: "${TOKEN}"}
"""


def test_secrets_are_read_from_where_they_are_and_show_nowhere(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("magpie-hook\n")
    (tmp_path / "seawall.yaml").write_text(SECRETS)
    config = load(tmp_path / "seawall.yaml", ENV)
    hook = config.alerts.receivers["hook"]
    assert hook.arguments() == {"url": "https://x.example.org", "secret": "magpie-hook", "urls": (ENV["TOKEN"],)}
    secret = config.api.tokens[0].secret
    assert secret is not None
    assert secret.reveal() == ENV["TOKEN"]
    assert config.chains["local"].nodes[0].ws.reveal() == ENV["ETH_WS"]
    shown = f"{config} {config!r} {config.api.tokens[0].secret} {config.chains['local'].nodes[0].ws}"
    assert "magpie" not in shown
    assert "wss://node.example.org/***" in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(config.api.tokens[0].secret)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("${NOT_SET}", "the environment variable NOT_SET is not set"),
        ("file:nowhere", "cannot be read: No such file or directory"),
        ("file:empty", "is empty"),
        ("file:binary", "cannot be read: it is not UTF-8 text"),
        ("magpie", "a secret is not written here"),
        ("$TOKEN", "a secret is not written here"),
        ("x${TOKEN}", "a secret is not written here"),
        ("[magpie]", "expected text"),
    ],
)
def test_a_secret_that_is_not_there_is_named_and_never_quoted(tmp_path: Path, reference: str, said: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfemagpie")
    reference = reference if reference.startswith("[") else f'"{reference}"'
    text = CHAINS + f"sentry: {{dsn: {reference}}}\n"
    with pytest.raises(ConfigError) as caught:
        parse(text, str(tmp_path / "seawall.yaml"), ENV)
    (problem,) = caught.value.problems
    assert problem.startswith("sentry.dsn: ")
    assert said in problem
    assert "magpie" not in problem


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://127.0.0.1:8545", "ws://127.0.0.1:8545"),
        ("ws://localhost:8545/some/path", "ws://localhost:8545/***"),
        ("ws://[::1]:8545", "ws://[::1]:8545"),
        ("wss://node.internal", "wss://node.internal"),
    ],
)
def test_a_node_url_without_a_key_may_stand_in_the_file(url: str, shown: str) -> None:
    config = parse(CHAINS.replace("${ETH_WS}", url), "seawall.yaml", ENV)
    assert str(config.chains["ethereum"].nodes[0].ws) == shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("wss://node.example.org/v2/magpie", "the URL of node.example.org may carry a key"),
        ("wss://node.example.org?key=magpie", "the URL of node.example.org may carry a key"),
        ("wss://user:magpie@node.example.org", "the URL of node.example.org may carry a key"),
        ("https://node.example.org/magpie", "not a WebSocket URL"),
        ("ws://magpie:port", "not a URL"),
        ("magpie", "not a WebSocket URL"),
        ("ws://", "not a WebSocket URL"),
    ],
)
def test_a_node_url_with_a_key_or_of_another_kind_is_refused_without_repeating_it(url: str, said: str) -> None:
    (literal,) = problems(CHAINS.replace("${ETH_WS}", url))
    assert literal.startswith(f"chains.ethereum.nodes[0].ws: {said}")
    assert "magpie" not in literal


def test_a_bad_node_url_in_the_environment_is_not_repeated() -> None:
    (problem,) = problems(CHAINS, {"ETH_WS": "https://node.example.org/magpie"})
    assert "not a WebSocket URL" in problem
    assert "magpie" not in problem


def test_tokens_that_could_be_mistaken_or_guessed_are_refused() -> None:
    tokens = 'api: {tokens: [{name: a, secret: "${TOKEN}", scopes: [pause]}, {name: b, secret: "${TOKEN}", scopes: [resume]}]}\n'
    same = "another token has the same secret, so it would not be known whose order it is (line 3)"
    assert problems(CHAINS + tokens) == [f"api.tokens[0].secret: {same}", f"api.tokens[1].secret: {same}"]
    short = problems(CHAINS + tokens.replace("name: b", "name: a"), ENV | {"TOKEN": "short"})
    assert "api.tokens: two tokens are called a (line 3)" in short
    assert "api.tokens[0].secret: shorter than 16 characters; make one with: openssl rand -hex 32 (line 3)" in short
