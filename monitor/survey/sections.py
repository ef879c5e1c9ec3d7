"""The sections of a draft, as lines of YAML: a chain, an integration, what is left to decide, and where things are kept."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from eth_utils.address import to_checksum_address

from monitor.config.kinds import written
from monitor.survey.chain import Setting
from monitor.survey.proxies import Proxy
from monitor.survey.recognise import Found
from monitor.survey.tokens import Token

HEADING = (
    "# Seawall's configuration, drafted by `seawall init` from what a node told. Read it before you trust it: what contracts say",
    "# of themselves is their authors' word. Then: seawall check FILE; seawall doctor -c FILE; seawall run -c FILE.",
    "# Everything a configuration can say: examples/seawall.yaml.",
)
SAFE, FINAL = 32, 64
"""Blocks that stand for safe and for final where the node has no such tags."""


def chain_lines(setting: Setting, node: str) -> Iterator[str]:
    """The chain, and what its node lacks."""
    from_blocks = f"measured over {setting.measured} blocks" if setting.measured else "the usual; too few blocks to measure"
    yield "chains:"
    yield f"  {setting.name}:"
    yield f"    id: {json.dumps(setting.id)}"
    yield "    nodes:                      # a second node here is what keeps the first one's failure from blinding you"
    yield f"      - {{name: first, ws: {json.dumps(node)}}}   # add rate: N, the calls a second of its plan; doctor counts them"
    yield f"    kind: {setting.kind}"
    yield f"    block_time: {written(setting.block_time)}             # {from_blocks}"
    yield f"    blind_after: {written(setting.blind_after)}            # no new block for so long: flags say unknown"
    if setting.capabilities.tags:
        yield "    finality: safe              # what releases wait for"
    else:
        yield f"    confirmations: {{safe: {SAFE}, final: {FINAL}}}   # it knows no safe and final blocks: these stand for them"
    for missing in setting.capabilities.missing:
        yield f"    # this node does not offer {missing}: `seawall doctor` says what follows"
    if not setting.capabilities.judges:
        yield "    # IT CANNOT TRACE: with this node alone nothing is judged, and every flag says unknown"


def integration_lines(name: str, found: Found, chain: str, mode: str) -> Iterator[str]:
    """One integration and what was seen of its contract."""
    yield f"  {name}:"
    yield f"    chain: {chain}"
    yield from (f"    # {line}" for line in _seen(found))
    yield "    contracts:"
    yield f'      - address: "{to_checksum_address(found.address)}"'
    yield f"        kind: {found.kind}"
    yield f"        role: {found.role}"
    if found.assets:
        yield "        assets:"
        yield from (f'          - "{to_checksum_address(asset.address)}"   # {described(asset)}' for asset in found.assets)
    told = "decides and reports, and leaves the flag alone; `enforce` turns it" if mode == "shadow" else "turns the flag"
    yield f"    mode: {mode}                # {told}"
    yield "    on_blind: pause             # what the boolean flag says while nothing can be seen"


def described(token: Token) -> str:
    """A token in a comment."""
    places = "decimals unknown" if token.decimals is None else f"{token.decimals} decimals"
    return f"calls itself {token.label}, {places}" if token.symbol else f"has no symbol, {places}"


def _seen(found: Found) -> Iterator[str]:
    if found.itself is not None:
        yield f"the contract {described(found.itself)}"
    if found.proxy is not None:
        yield from _proxied(found.proxy)
    if found.owner is not None:
        yield f"owner() is {found.owner}"
    yield from found.notes


def _proxied(proxy: Proxy) -> Iterator[str]:
    code = f"runs the code of {proxy.implementation}" if proxy.implementation else "does not tell whose code it runs"
    beacon = f", by the beacon {proxy.beacon}" if proxy.beacon else ""
    yield f"a proxy: {proxy.kind}; {code}{beacon}"
    if proxy.fixed:
        yield "  that cannot be exchanged"
        return
    who = proxy.admin or proxy.rules
    if who is None:
        yield "  who may exchange it is not told by a slot: ask its authors"
    else:
        owned = f", which {proxy.rules} owns" if proxy.admin and proxy.rules and proxy.rules != proxy.admin else ""
        yield f"  {who}{owned} may exchange it at any time"


def open_questions(setting: Setting, integrations: Mapping[str, Found]) -> Iterator[str]:
    """What only a person can decide, ready to be uncommented."""
    assets = {asset.address: asset for one in integrations.values() for asset in one.assets}
    for name, count in Counter(asset.symbol for asset in assets.values() if asset.symbol).items():
        if count > 1:
            yield f"# CAREFUL: {count} different tokens above call themselves '{name}'."
    if assets:
        yield "# Contracts that you know to be good (routers, tokens); being trusted never hides what happens to a watched one."
        yield "# trusted:"
        yield f"#   {setting.name}:"
        yield from (f'#     - "{to_checksum_address(one.address)}"   # {described(one)}' for one in assets.values())
        yield ""
    powers = {one.address: sorted(_powers(one)) for one in integrations.values() if _powers(one)}
    if powers:
        yield "# Who has power over them now: name those that you expect, and what they do is told apart from a stranger's."
        yield "# detectors:"
        yield "#   privileges:"
        yield "#     owners:"
        yield from (f'#       "{contract}": {json.dumps(names)}' for contract, names in powers.items())
        yield ""
    if pairs := [one for one in integrations.values() if one.kind == "uniswap_v2" and len(one.assets) == 2]:
        yield "# Prices from a pair's own reserves, for figures and for rules that need a worth: token is priced in quote."
        yield "# prices:"
        yield f"#   {setting.name}:"
        for one in pairs:
            token, quote = (to_checksum_address(asset.address) for asset in one.assets)
            yield f'#     - {{token: "{token}", pool: "{to_checksum_address(one.address)}", quote: "{quote}"}}'
        yield ""


def _powers(found: Found) -> set[str]:
    proxy = found.proxy
    named = (found.owner, proxy.admin if proxy else None, proxy.rules if proxy else None)
    return {one for one in named if one is not None}


def rest_lines(journal: str, read: str, admin: str) -> Iterator[str]:
    """Who is told, where flags are read, where decisions are kept."""
    yield "alerts:"
    yield "  otherwise: [console]          # add a receiver that wakes somebody: alertmanager, pagerduty, slack, webhook, …"
    yield "  receivers:"
    yield "    console: {channel: console}"
    yield ""
    yield "api:"
    yield f"  read: {json.dumps(read)}      # flags, health, metrics, the page"
    yield f"  admin: {json.dumps(admin)}     # orders, each with a token: seawall token create NAME --scope pause --scope resume"
    yield ""
    yield "journal:"
    yield f"  path: {json.dumps(journal)}   # every decision; keep it on a disk that stays"
