"""A draft is a configuration whatever a chain says: any bytes for a symbol, any mixture of what was found."""

import msgspec
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.events import Position
from monitor.chains.capabilities import Capabilities
from monitor.config import parse
from monitor.survey import Found, Places, Proxy, Setting, Token, draft
from monitor.survey.tokens import LONGEST, symbol

PLACES = Places(node="ws://127.0.0.1:8545", journal="/tmp/seawall/journal.db")  # noqa: S108 - written into a draft, never opened
SETTING = Setting(
    id="eip155:1", name="ethereum", kind="ethereum", at=Position(1, "0x1"), timestamp=0, block_time=12.0, measured=200,
    capabilities=Capabilities(pinned=True),
)  # fmt: skip

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
words = st.one_of(
    st.binary(max_size=96).map(lambda raw: (32).to_bytes(32, "big") + len(raw).to_bytes(32, "big") + raw.ljust(96, b"\0")),
    st.binary(min_size=32, max_size=32),
    st.text(max_size=24).map(lambda text: text.encode().ljust(32, b"\0")[:32]),
    st.binary(max_size=200),
)
symbols = words.map(lambda raw: symbol("0x" + raw.hex()))
tokens = st.builds(Token, addresses, symbols, st.none() | st.integers(0, 77))
proxies = st.builds(Proxy, kind=st.just("EIP-1967"), implementation=st.none() | addresses, admin=st.none() | addresses)
founds = st.builds(
    Found,
    address=addresses,
    kind=st.sampled_from(["", "holdings", "uniswap_v2", "uniswap_v3", "curve", "erc4626"]),
    role=st.sampled_from(["pool", "vault", "token", "contract"]),
    assets=st.lists(tokens, max_size=3, unique_by=lambda token: token.address).map(tuple),
    itself=st.none() | tokens,
    proxy=st.none() | proxies,
    owner=st.none() | addresses,
)


@given(words)
def test_a_symbol_is_short_printable_and_on_one_line_whatever_its_bytes(raw: bytes) -> None:
    said = symbol("0x" + raw.hex())
    assert len(said) <= LONGEST
    assert all(letter.isascii() and letter.isprintable() for letter in said)


@settings(max_examples=40)
@given(st.lists(founds, min_size=1, max_size=6, unique_by=lambda found: found.address))
def test_any_draft_is_a_configuration_of_just_what_can_be_watched(found: list[Found]) -> None:
    made = draft(SETTING, found, PLACES)
    watchable = {one.address for one in found if one.watchable}
    assert all(letter == "\n" or letter.isprintable() for letter in made.text)
    assert {one.address for one in made.left_out} == {one.address for one in found} - watchable
    if not watchable:
        return
    config = parse(made.text, "seawall.yaml", {})
    assert {one.address for each in config.integrations.values() for one in each.contracts} == watchable
    assert len(config.integrations) == len(watchable), "two of one name would hide each other"
    assert config.detectors == {}
    assert config.trusted == {}, "nothing that a chain says is trusted by itself"


def test_two_that_would_be_called_alike_are_both_there() -> None:
    same = [
        Found(address="0x" + "ab" * 3 + f"{n:034x}", kind="holdings", role="token", itself=Token("0x1", "USDC")) for n in (1, 2)
    ]
    made = draft(SETTING, same, PLACES)
    assert {one.address for one in made.integrations.values()} == {one.address for one in same}
    assert len(yaml.safe_load(made.text)["integrations"]) == 2


def test_a_node_without_tags_or_tracers_is_said_in_the_file() -> None:
    bare = draft(SETTING, [Found(address="0x" + "ab" * 20, kind="holdings")], PLACES).text
    assert "confirmations: {safe: 32, final: 64}" in bare
    assert "IT CANNOT TRACE" in bare
    able = msgspec.structs.replace(SETTING, capabilities=Capabilities(tags=True, trace_call=True, pinned=True))
    better = draft(able, [Found(address="0x" + "ab" * 20, kind="holdings")], PLACES).text
    assert "finality: safe" in better
    assert "IT CANNOT TRACE" not in better
