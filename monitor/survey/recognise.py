"""Recognising: what a contract is, by how it answers, and what speaks for it being what it says."""

from collections.abc import Mapping, Sequence

import msgspec

from detectors.events import PoolState, Position
from monitor.config import Contract, PoolKind
from monitor.errors import NodeOversize, RpcRefused
from monitor.feeds.pools import KINDS
from monitor.feeds.pools.asked import Batcher, ask
from monitor.feeds.pools.base import NATIVE, account, number
from monitor.feeds.pools.uniswap_v2 import FACTORY
from monitor.survey.proxies import Proxy, proxy
from monitor.survey.reads import OWNER, WITHIN, Look, named
from monitor.survey.tokens import Token, is_token, tokens

TRIED = (PoolKind.UNISWAP_V2, PoolKind.UNISWAP_V3, PoolKind.CURVE, PoolKind.ERC4626)
"""Kinds in the order in which they are tried; the first whose state can be read is taken."""

UNRECOGNISED = (
    "not recognised: no pair, pool, vault or token answers here. Watched for what it holds; a lender or bridge is better watched "
    "as kind accounts, with rules"
)

ROLES = {"erc4626": "vault", "holdings": "contract"}
PAUSED = "0x5c975abb"
GET_PAIR, GET_POOL, FEE = "0xe6a43905", "0x1698ee82", "0xddca3f43"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at an address. `kind` is the configuration's, empty where there is no contract; `assets` what it holds.

    `unknown`: it is none of what is recognised, and can be watched only for what it holds. `notes` are for whoever decides.
    """

    address: str
    kind: str = ""
    role: str = "pool"
    assets: tuple[Token, ...] = ()
    itself: Token | None = None
    proxy: Proxy | None = None
    owner: str | None = None
    unknown: bool = False
    notes: tuple[str, ...] = ()

    @property
    def watchable(self) -> bool:
        """Is there a contract that could be watched?"""
        return bool(self.kind)


async def recognise(rpc: Batcher, chain: str, address: str, at: Position) -> Found:
    """Look at one address (lower case) at a block. Raises NodeError when the node does not answer."""
    look = Look(rpc, at)
    code = (await look.codes([address]))[address]
    if not code:
        return Found(address=address, notes=(f"no contract at this address on {chain} at block {at.height}: another chain?",))
    before = await proxy(look, address, code)
    said, paused = await look.views([(address, OWNER), (address, PAUSED)])
    owner, exits = named(said), _exits(paused)
    states = await _states(rpc, chain, address, at)
    kind, state = next(iter(states.items()), ("holdings", None))
    if state is None:
        return await _plain(look, address, before, owner, exits)
    held = await tokens(look, [asset for asset in state.reserves if asset != NATIVE])
    also = [other for other in states if other != kind]
    notes = [f"it also answers as {' and '.join(also)}: a contract that is everything may be none of it"] if also else []
    notes += [*await _doubts(look, kind, address, tuple(held)), *exits]
    itself = (await tokens(look, [address]))[address] if kind == "erc4626" else None
    return Found(
        address=address, kind=kind, role=ROLES.get(kind, "pool"), assets=tuple(held.values()), itself=itself, proxy=before,
        owner=owner, notes=tuple(notes),
    )  # fmt: skip


async def survey(rpc: Batcher, chain: str, address: str, at: Position) -> Found:
    """As `recognise`; an answer longer than any honest one makes it unknown. Raises every other NodeError."""
    try:
        return await recognise(rpc, chain, address, at)
    except NodeOversize:
        return Found(
            address=address, kind="holdings", role=ROLES["holdings"], unknown=True,
            notes=("its answers are longer than any honest one: nothing of it was believed",),
        )  # fmt: skip


async def reads_as(rpc: Batcher, chain: str, contract: Contract, at: Position) -> PoolState | None:
    """The state of a configured contract as what it is configured to be; None where it tells none. Raises NodeError."""
    pool = KINDS[contract.kind].of(contract.address, contract.assets, contract.asks)
    if facts := pool.facts():
        pool.learn(await ask(rpc, facts, at.id, WITHIN))
    return pool.state(await ask(rpc, pool.calls(), at.id, WITHIN), chain=chain, at=0.0, position=at)


async def _states(rpc: Batcher, chain: str, address: str, at: Position) -> Mapping[str, PoolState]:
    """Its state as each kind that can be read from it, with assets that are contracts."""
    found: dict[str, PoolState] = {}
    look = Look(rpc, at)
    for kind in TRIED:
        try:
            state = await reads_as(rpc, chain, Contract(address=address, kind=kind), at)
        except RpcRefused:
            continue
        if state is not None and await _stands_on_contracts(look, address, state):
            found[kind] = state
    return found


async def _stands_on_contracts(look: Look, address: str, state: PoolState) -> bool:
    assets = [asset for asset in state.reserves if asset != NATIVE]
    codes = await look.codes(assets)
    return all(codes.values()) and address not in assets and bool(state.reserves)


async def _plain(look: Look, address: str, before: Proxy | None, owner: str | None, exits: Sequence[str]) -> Found:
    """A token, or something that can be watched only for what it holds."""
    if await is_token(look, address):
        itself = (await tokens(look, [address]))[address]
        note = "a token: what is watched is what its own contract holds, not who holds it"
        return Found(
            address=address, kind="holdings", role="token", itself=itself, proxy=before, owner=owner, notes=(note, *exits)
        )  # fmt: skip
    return Found(
        address=address, kind="holdings", role=ROLES["holdings"], proxy=before, owner=owner, unknown=True,
        notes=(UNRECOGNISED, *exits),
    )  # fmt: skip


def _exits(paused: str | None) -> tuple[str, ...]:
    """What `paused()` answered: somebody may be able to pause it on the chain itself."""
    said = number(paused) if paused is not None and len(paused) == len("0x") + 64 else None
    if said not in {0, 1}:
        return ()
    state = "IS PAUSED now" if said else "is not paused now"
    return (f"it can be paused on the chain, and {state}; if that is yours to do, name the call under pause_target",)


async def _doubts(look: Look, kind: str, address: str, held: tuple[str, ...]) -> list[str]:
    """Does the factory it names know it? Anyone can copy a pool's answers, only its factory made it."""
    if kind not in {"uniswap_v2", "uniswap_v3"} or len(held) != 2:
        return []
    told, fee = await look.views([(address, FACTORY), (address, FEE)])
    factory = account(told)
    if factory is None or not (await look.codes([factory]))[factory]:
        return ["it names no factory: nothing but itself says that it is such a pool"]
    pair = "".join(token[2:].rjust(64, "0") for token in sorted(held))
    call = GET_PAIR + pair if kind == "uniswap_v2" else f"{GET_POOL}{pair}{number(fee) or 0:064x}"
    known = named(await look.view(factory, call)) == address
    said = f"its factory {factory} {'knows it' if known else 'does NOT know it: a copy of somebody?'}"
    return [f"{said}; whether that factory is the real one is yours to compare"]
