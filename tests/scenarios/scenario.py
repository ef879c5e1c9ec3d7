"""A scenario of the corpus: an incident, or its honest double, staged on a real chain and judged by the daemon's own parts.

How to add one. Put a coroutine into a module below `staged/` (modules are found by themselves) and register it:

    @attack(1, "withdraw pays before it writes", kinds=("same_contract",), family=REENTRANCY)
    async def single_function(world: World) -> Staged:
        bank = await world.deploy("Bank")                        # by name: published bytecode, or contracts/*.sol
        await world.do(world.users[0], bank, "deposit", value=100 * ETHER)
        thief = await world.thief("BankThief")                   # in the renamed way: other selectors, split in three
        rob = thief.tx("own_drain", bank, world.pick(3, 21), value=world.about(5 * ETHER))
        return Staged(watch=(holdings(bank),), blocks=[[rob]], victims={bank})

`world` is a fresh anvil with funded users and seeded dice: take every number that may vary from `world.pick`, `world.about`
and `world.chance`, and each seed is another variation (amounts, order, split over transactions, helper contracts, timing).
`blocks` are the transactions in order, block by block; an async generator may compute later ones from the chain's state.
Transactions of a thief are guilty, so are those marked `guilty=True`; every other is honest, and a warning about it is false.
`victims` are all who lose: the contract re-entered and the consumer of the stale value. A contract of an attacker spells
the functions of its own `own_…`. A benign double is registered with `@benign`; nothing in it may warn, let alone pause.
"""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.demo.scenery import Contract
from tests.scenarios.world import Tx, Wait, World

REENTRANCY, DRAIN = "reentrancy", "drain"
"""Families: which detectors have to see it (`reentrancy`, or any other)."""

Step = Sequence[Tx] | Wait
"""A block's transactions, or some empty blocks."""

Blocks = Iterable[Step] | AsyncIterator[Step]


@dataclass(frozen=True, kw_only=True)
class Staged:
    """What stands on the chain, and what is about to happen.

    `watch`: contracts as configured. `prices`: (token, pair, quote) as configured. `trusted`: as configured.
    `seconds` between blocks. `detectors`: further settings of detectors by name, as configured. `asks`: contract -> what it
    is asked each block by name, for those of kind `accounts`.
    """

    watch: tuple[Contract, ...]
    blocks: Blocks
    victims: frozenset[str] | set[str] = frozenset()
    prices: tuple[tuple[str, str, str], ...] = ()
    trusted: tuple[str, ...] = ()
    seconds: int = 12
    detectors: dict[str, dict[str, object]] = field(default_factory=dict)
    asks: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row of the matrix. `kinds`: kinds of finding that name the mechanism rightly; none for a benign one.

    `why`: why a warning is all that is said of this attack, where that is meant.
    """

    number: str
    name: str
    family: str
    kinds: frozenset[str]
    stage: Callable[[World], Awaitable[Staged]]
    variations: int | None = None
    why: str = ""

    @property
    def attacks(self) -> bool:
        """Is it an attack?"""
        return bool(self.kinds)

    @property
    def order(self) -> tuple[int, str]:
        """By number, then by letter."""
        digits = "".join(c for c in self.number if c.isdigit())
        return int(digits), self.number


CORPUS: dict[str, Scenario] = {}
Stage = Callable[[World], Awaitable[Staged]]


def attack(
    number: int | str, name: str, *, kinds: Iterable[str], family: str, variations: int | None = None, why: str = ""
) -> Callable[[Stage], Stage]:
    """Register an attack. `variations`: fewer than asked for, for what takes long. `why` it is only warned of, if so."""
    return _registered(str(number), name, frozenset(kinds), family, variations, why)


def benign(number: int | str, name: str, *, variations: int | None = None) -> Callable[[Stage], Stage]:
    """Register an honest double."""
    return _registered(str(number), name, frozenset(), "benign", variations)


def _registered(
    number: str, name: str, kinds: frozenset[str], family: str, variations: int | None, why: str = ""
) -> Callable[[Stage], Stage]:
    def register(stage: Stage) -> Stage:
        if number in CORPUS and CORPUS[number].stage.__module__ != stage.__module__:
            raise ValueError(f"two scenarios are number {number}: {CORPUS[number].name} and {name}")
        CORPUS[number] = Scenario(
            number=number, name=name, family=family, kinds=kinds, stage=stage, variations=variations, why=why
        )  # fmt: skip
        return stage

    return register


def corpus() -> list[Scenario]:
    """Every scenario, in the order of the matrix."""
    for module in pkgutil.iter_modules([str(Path(__file__).with_name("staged"))]):
        importlib.import_module(f"tests.scenarios.staged.{module.name}")
    return sorted(CORPUS.values(), key=lambda scenario: scenario.order)


def holdings(address: str, *assets: str, role: str = "pool") -> Contract:
    """A contract watched for what it holds."""
    return Contract(address, "holdings", role, assets)


def pair(address: str, *assets: str) -> Contract:
    """A watched Uniswap V2 pair."""
    return Contract(address, "uniswap_v2", "pool", assets)


def vault(address: str, asset: str) -> Contract:
    """A watched ERC-4626 vault."""
    return Contract(address, "erc4626", "vault", (asset,))
