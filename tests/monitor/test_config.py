"""The configuration: read as people mean it, refused with every problem at once, and silent about secrets."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.breaker.flags import OnBlind
from monitor.breaker.holds import Mode
from monitor.breaker.policy import Rules
from monitor.config import Config, Policy, load, loader, parse, schema
from monitor.errors import ConfigError

WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
ENV = {"ETH_WS": "wss://node.example.org/v2/canary-key", "TOKEN": "canary-token-0123456789"}

CHAINS = 'version: 1\nchains: {ethereum: {id: "eip155:1", nodes: [{name: alpha, ws: "${ETH_WS}"}]}}\n'
WHOLE = f"""version: 1
chains:
  ethereum:
    id: eip155:1
    nodes: [{{name: alpha, ws: "${{ETH_WS}}"}}]
integrations:
  aave:
    chain: ethereum
    contracts:
      - {{address: {WETH}, kind: holdings}}
"""


def problems(text: str, env: dict[str, str] = ENV) -> list[str]:
    """What is wrong with this configuration."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "seawall.yaml", env)
    return caught.value.problems


def test_a_checkpoint_is_what_every_node_must_have_in_lower_case() -> None:
    pinned = CHAINS.replace("nodes:", f'checkpoint: {{number: 7, hash: "0x{"AB" * 32}"}}, nodes:')
    assert parse(pinned, "seawall.yaml", ENV).chains["ethereum"].pinned == (7, "0x" + "ab" * 32)
    assert parse(CHAINS, "seawall.yaml", ENV).chains["ethereum"].pinned is None


def test_a_small_file_gets_every_default() -> None:
    config = parse(WHOLE, "seawall.yaml", ENV)
    chain, integration = config.chains["ethereum"], config.integrations["aave"]
    assert (chain.block_time, chain.blind_after, chain.finality, chain.quorum) == (12.0, 60.0, "safe", 1)
    assert (Mode(integration.mode), OnBlind(integration.on_blind), integration.policy) == (Mode.SHADOW, OnBlind.PAUSE, "default")
    assert integration.contracts[0].address == WETH.lower()
    assert config.policies["default"] == Policy() == config.policy_of("aave")
    assert (str(config.api.read), config.api.admin.port, config.api.lease) == ("127.0.0.1:8080", 8081, 30.0)
    assert config.sentry is None


def test_a_policy_has_the_breakers_rules_by_the_same_names_and_defaults() -> None:
    rules = Rules(**{name: getattr(Policy(), name) for name in Rules.__struct_fields__})
    assert rules == Rules()


def test_what_plain_yaml_gets_wrong_is_read_as_written() -> None:
    document = loader.read(f"a: {WETH}\non: off\nt: 12:30:00\no: 010\nd: 2024-01-01\ny: yes\nb: true\nn: ~\ni: 12\nf: 1.5\n")
    texts = {"a": WETH, "on": "off", "t": "12:30:00", "o": "010", "d": "2024-01-01", "y": "yes"}
    assert document.data == texts | {"b": True, "n": None, "i": 12, "f": 1.5}
    assert document.lines["d",] == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x\n", "anchors and aliases are not used here; write the value out (line 1, column 4)"),
        ("a: !!int '3'\n", "tags are not used here; write the value out (line 1, column 4)"),
        ("a: !!python/object/apply:os.system [id]\n", "tags are not used here; write the value out (line 1, column 4)"),
        ("a: [\n", "but found '<stream end>' (line 2, column 1)"),
        ("\ta: 1\n", "cannot start any token (line 1, column 1)"),
        ("a: 1\n---\nb: 2\n", "but found another document (line 2, column 1)"),
        ("[" * 5000, "nested deeper than 32 levels (line 1, column 33)"),
        ("a: \0", "special characters are not allowed"),
        ("#" * 1_000_001, "longer than 1,000,000 characters"),
    ],
)
def test_what_cannot_be_read_is_named_with_line_and_column(text: str, said: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("seawall.yaml: ")
    assert said in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "seawall.yaml: the file is empty (line 1)"),
        ("- 1\n", "seawall.yaml: expected a mapping that starts with version: 1 (line 1)"),
        (CHAINS.replace("1\n", "2\n", 1), "version: 2 is not one of: 1 (line 1)"),
        (CHAINS + "chians: {}\n", "chians: unknown key; did you mean chains? (line 3)"),
        (CHAINS + "chains: {}\n", "chains: stands twice; the second is (line 3, column 1) (line 2)"),
        (CHAINS + "3: x\n", "seawall.yaml: a key must be text; put it in quotes (line 3, column 1) (line 1)"),
        ("version: 1\n", "chains: missing (line 1)"),
        ("version: 1\nchains: {}\n", "chains: needs at least one (line 2)"),
        ("version: 1\nchains: text\n", "chains: expected a mapping, not text (line 2)"),
        (
            WHOLE.replace("eip155:1", "mainnet"),
            'chains.ethereum.id: not a chain id: "mainnet"; write it as CAIP-2 does, like eip155:1 (line 4)',
        ),
        (
            WHOLE.replace("eip155:1", "solana:abc"),
            "chains.ethereum.id: solana:abc is no EVM chain; this version watches eip155 chains only (line 4)",
        ),
        (WHOLE.replace(WETH, "0x12"), 'integrations.aave.contracts[0].address: not an address: "0x12" (line 10)'),
        (WHOLE.replace(WETH, "vitalik.eth"), 'integrations.aave.contracts[0].address: not an address: "vitalik.eth" (line 10)'),
        (
            WHOLE.replace("C756Cc2", "c756Cc2"),
            (
                f'integrations.aave.contracts[0].address: the checksum of "{WETH.replace("C756Cc2", "c756Cc2")}" does not fit: '
                "a letter is wrong, or in the wrong case (EIP-55) (line 10)"
            ),
        ),
        (
            WHOLE.replace("holdings", "balancer"),
            (
                'integrations.aave.contracts[0].kind: "balancer" is not one of: holdings, uniswap_v2, uniswap_v3, curve, '
                "erc4626, accounts (line 10)"
            ),
        ),
        (
            WHOLE.replace("  aave:", "  Aave:"),
            (
                'integrations.Aave: not a name: "Aave"; use lower case letters, digits, dots, dashes and underscores, '
                "a letter or digit first (line 7)"
            ),
        ),
        (
            WHOLE.replace("chain: ethereum", "chain: base"),
            'integrations.aave.chain: no chain is called "base"; there are: ethereum (line 8)',
        ),
        (WHOLE + "    policy: strict\n", 'integrations.aave.policy: no policy is called "strict"; there are: default (line 11)'),
        (WHOLE + "    mode: on\n", 'integrations.aave.mode: "on" is not one of: shadow, enforce (line 11)'),
        (
            WHOLE + f"      - {{address: {WETH.lower()}}}\n",
            f"integrations.aave.contracts: the contract {WETH.lower()} stands twice (line 9)",
        ),
        (CHAINS + "trusted: {base: []}\n", 'trusted.base: no chain is called "base"; there are: ethereum (line 3)'),
        (
            CHAINS + f"prices: {{ethereum: [{{token: {WETH}, pool: {WETH}, quote: {WETH}}}]}}\n",
            "prices.ethereum[0].quote: a token cannot be priced in itself (line 3)",
        ),
        (
            CHAINS + "policies: {x: {warn_at: 0.9}}\n",
            "policies.x.warn_at: 0.9 is above pause_at (0.8): it would pause before it warns (line 3)",
        ),
        (
            CHAINS + "policies: {x: {close_at: 0.8}}\n",
            "policies.x.close_at: 0.8 is not below pause_at (0.8): it would open and close at once (line 3)",
        ),
        (CHAINS + "policies: {x: {min_open: 25h}}\n", "policies.x.min_open: 25h is longer than max_open (24h) (line 3)"),
        (
            CHAINS + "policies: {x: {half_open: [0.5, 0.1]}}\n",
            "policies.x.half_open: shares must rise from one to the next (line 3)",
        ),
        (CHAINS + "policies: {x: {pause_at: 1.5}}\n", "policies.x.pause_at: expected float <= 1.0: 1.5 (line 3)"),
        (CHAINS + "policies: {x: {quorum: 0}}\n", "policies.x.quorum: expected int >= 1: 0 (line 3)"),
        (
            CHAINS.replace("nodes:", "checkpoint: {number: 1, hash: 0x12}, nodes:").replace("0x12", '"0x12"'),
            'chains.ethereum.checkpoint.hash: not a block\'s hash: "0x12"; write 0x and 64 hex digits (line 2)',
        ),
        (
            CHAINS.replace("nodes:", f'checkpoint: {{number: -1, hash: "0x{"ab" * 32}"}}, nodes:'),
            "chains.ethereum.checkpoint.number: expected int >= 0: -1 (line 2)",
        ),
        (
            CHAINS.replace("name: alpha", "name: alpha, rate: 0"),
            "chains.ethereum.nodes[0].rate: expected float > 0.0: 0 (line 2)",
        ),
        (CHAINS + "policies: {x: {quorum: yes}}\n", 'policies.x.quorum: expected int, got str: "yes" (line 3)'),
        (
            CHAINS + "policies: {x: {min_open: 60}}\n",
            ("policies.x.min_open: not a duration: 60; write a number and a unit (ms, s, m, h, d), like 60s or 24h (line 3)"),
        ),
        (CHAINS + "policies: {x: {min_open: 0s}}\n", "policies.x.min_open: expected float > 0.0: 0.0 (line 3)"),
        (
            CHAINS + "alerts: {routes: [{to: [pager]}]}\n",
            "alerts.routes[0].to: no receiver is called 'pager'; there are: none (line 3)",
        ),
        (CHAINS + "alerts: {routes: [{to: []}]}\n", "alerts.routes[0].to: names no receiver (line 3)"),
        (
            CHAINS + "alerts: {receivers: {console: {}}, routes: [{match: {severity: '*'}, to: [console]}]}\n",
            "alerts.routes[0].match.severity: there are no wildcards; leave the label out to match every value (line 3)",
        ),
        (
            CHAINS + "alerts: {receivers: {console: {}}, routes: [{match: {severity: high}, to: [console]}]}\n",
            'alerts.routes[0].match.severity: "high" is not one of: info, warning, critical (line 3)',
        ),
        (CHAINS + "api: {read: 8080}\n", "api.read: expected text (line 3)"),
        (CHAINS + "api: {read: 'localhost:99999'}\n", 'api.read: not HOST:PORT: "localhost:99999" (line 3)'),
        (
            CHAINS + "api: {admin: '127.0.0.1:8080'}\n",
            "api.admin: 127.0.0.1:8080 is the read listener's place; orders need one of their own (line 3)",
        ),
        (
            CHAINS + "api: {admin: '0.0.0.0:9'}\n",
            "api.admin: 0.0.0.0:9 takes orders from everywhere, and there is no token to ask for (line 3)",
        ),
        (
            CHAINS + 'api: {tokens: [{name: a, secret: "${TOKEN}", scopes: []}]}\n',
            "api.tokens[0].scopes: allows nothing; name pause, resume, audit or reload (line 3)",
        ),
        (
            CHAINS + 'api: {tokens: [{name: a, secret: "${TOKEN}", scopes: [root]}]}\n',
            'api.tokens[0].scopes[0]: "root" is not one of: pause, resume, audit, reload (line 3)',
        ),
        (CHAINS + "detectors: {drain: {warn_share: 1.0e999}}\n", "detectors.drain.warn_share: not a finite number (line 3)"),
    ],
)
def test_one_mistake_is_one_problem_with_its_path_and_line(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_an_integration_is_not_called_like_a_view_of_another_and_a_ladder_has_a_step() -> None:
    (problem,) = problems(WHOLE.replace("  aave:", "  aave.paused:"))
    assert problem.startswith("integrations.aave.paused: .paused at its end is a view of a flag")
    (problem,) = problems(WHOLE + "policies: {default: {half_open: []}}\n")
    assert problem.startswith("policies.default.half_open:")


def test_two_chains_with_one_id_and_a_chain_that_would_always_be_blind() -> None:
    text = WHOLE + "policies: {}\n"
    text = text.replace(
        "integrations:",
        '  twin: {id: "eip155:1", quorum: 3, blind_after: 3s, '
        'nodes: [{name: a, ws: "ws://127.0.0.1:1"}, {name: a, ws: "ws://127.0.0.1:2"}]}\nintegrations:',
    )
    assert problems(text) == [
        "chains.twin.blind_after: 3s is less than one block (12s): it would be blind all the time (line 6)",
        "chains.twin.id: eip155:1 is chains.ethereum already (line 6)",
        "chains.twin.nodes: two nodes are called a (line 6)",
        "chains.twin.quorum: 3 nodes must agree, and 2 can be used (line 6)",
    ]


def test_every_problem_is_told_at_once_and_one_mistake_causes_no_other() -> None:
    text = """version: 1
chains:
  ethereum: {id: wrong, nodes: []}
integrations:
  aave:
    chain: ethereum
    contracts: [{address: 0x12}, {address: 0x34, kin: x}]
    policy: strict
policies:
  strict: {quorum: none}
alerts:
  receivers: {hook: {channel: webhook, secret: literal}}
  routes: [{to: [hook]}, {to: [nobody]}]
"""
    assert problems(text) == [
        'chains.ethereum.id: not a chain id: "wrong"; write it as CAIP-2 does, like eip155:1 (line 3)',
        "chains.ethereum.nodes: needs at least one (line 3)",
        'integrations.aave.contracts[0].address: not an address: "0x12" (line 7)',
        'integrations.aave.contracts[1].address: not an address: "0x34" (line 7)',
        "integrations.aave.contracts[1].kin: unknown key; did you mean kind? (line 7)",
        'policies.strict.quorum: expected int, got str: "none" (line 10)',
        "alerts.receivers.hook.secret: a secret is not written here; name where it is, as ${VARIABLE} or file:PATH (line 12)",
        "alerts.routes[1].to: no receiver is called 'nobody'; there are: hook (line 13)",
    ]


def test_a_configuration_cannot_be_changed_once_loaded() -> None:
    config = parse(WHOLE + "detectors: {drain: {levels: [1, 2], nested: {a: 1}}}\n", "seawall.yaml", ENV)
    with pytest.raises(AttributeError):
        config.log.level = "debug"  # type: ignore[misc]
    drain: Any = config.detectors["drain"]
    mappings: list[Any] = [config.chains, config.policies, config.prices, drain, drain["nested"]]
    for mapping in mappings:
        with pytest.raises(TypeError):
            mapping["x"] = 1
    assert drain["levels"] == (1, 2)


def test_the_hash_names_what_is_written_and_not_how() -> None:
    one = parse(WHOLE, "a.yaml", ENV)
    other_order = parse(
        "# a comment\n" + WHOLE.replace("version: 1\n", "") + "version: 1\n", "b.yaml", ENV | {"ETH_WS": "ws://other"}
    )
    changed = parse(WHOLE + "    mode: enforce\n", "a.yaml", ENV)
    assert one.hash == other_order.hash
    assert one.hash != changed.hash


def test_a_file_that_is_not_there_or_not_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"version: \xff")
    for path, said in (
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "binary.yaml", "not UTF-8"),
    ):
        with pytest.raises(ConfigError, match=said) as caught:
            load(path, ENV)
        assert len(caught.value.problems) == 1


words = st.sampled_from(
    f"version chains integrations aave ethereum id eip155:1 nodes contracts address {WETH} policies default alerts routes "
    "match to receivers secret ${TOKEN} api tokens 60s * \u202e".split()
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=4)),
    max_leaves=20,
)


@given(data=values)
@example(
    data={
        "version": 1,
        "chains": {"ethereum": {"id": "eip155:1", "nodes": {}}},
        "alerts": {"routes": [{"match": {"severity": 1}, "to": ["a"]}]},
    }
)
def test_any_data_is_a_configuration_or_a_list_of_problems(data: object) -> None:
    found = []
    try:
        parse(json.dumps(data), "fuzz.yaml", ENV)
    except ConfigError as error:
        found = error.problems
    # Nothing this grammar makes is whole: a chain needs three keys at two depths, and `ws` is not among its words.
    assert found
    assert all(problem.isprintable() for problem in found)
    assert ENV["TOKEN"] not in "".join(found)


@given(text=st.text(max_size=60))
@example(text="? {a: b}\n: c")
@example(text="{" * 40)
@example(text="a: 99999999999999999999999999999999999999999999")
def test_any_text_is_a_configuration_or_a_list_of_problems(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "fuzz.yaml", ENV)


def test_reading_a_configuration_loads_no_heavy_library() -> None:
    heavy = ("web3", "eth_utils", "numpy", "statsmodels", "aiohttp", "prometheus_client")
    code = f"import sys, monitor.config; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_schema_describes_every_section_and_refuses_unknown_keys() -> None:
    definitions = schema()["$defs"]
    assert set(definitions["File"]["properties"]) == {*Config.__struct_fields__} - {"source", "hash"}
    loose = [name for name, made in definitions.items() if "enum" not in made and made.get("additionalProperties") is not False]
    assert loose == ["Receiver"]
    assert definitions["Policy"]["properties"]["min_open"]["default"] == "10m"
