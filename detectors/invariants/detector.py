"""The invariant detector: compares what pools promise across block ends, and before and after every transaction."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from detectors._math.undo import Map, Undo
from detectors.base import NOTHING, Detector, Finding, Registry, Watch
from detectors.events import Block, Committed, Event, PoolState, Position, Reverted, Stage
from detectors.execution.frames import Execution
from detectors.execution.ledger import Ledger, flows, kept_at_home
from detectors.execution.parties import cluster
from detectors.invariants.pair import Pair, fall
from detectors.invariants.states import Seen, moved, seen
from detectors.invariants.vault import Vault, change

MINED = frozenset((Stage.INCLUDED, Stage.SAFE, Stage.FINAL))

BROKEN, MOST = 0.85, 0.95
"""Confidence of the smallest broken invariant, and of one by a tenth or more."""

DOUBTFUL = 0.7
"""The most where a protocol fee may explain it, or the flows had to be guessed without logs."""

JUMP = 0.6
"""Confidence of a share price that jumped: a harvest does that, and a donation before a theft."""

EXACT = 1 << 53


class Pools:
    """One chain's pools: as last read, and as the transactions since have moved them."""

    def __init__(self) -> None:
        self.log = Undo()
        self.read: Map[str, Seen] = self.log.map()
        self.now: Map[str, Seen] = self.log.map()
        self.height = -1
        """The newest block opened."""


class Invariants(Detector):
    """D3 for Uniswap V2 pairs (k over supply squared never falls) and ERC-4626 vaults (the share price never falls).

    `rebasing`: pools or tokens whose balances change by themselves; they are left out.

    >>> from detectors.base import Watch
    >>> guard = Invariants({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> def at(height, assets, shares):
    ...     place = Position(height, f"0x{height}")
    ...     extra = {"total_assets": assets}
    ...     return PoolState(chain="eip155:1", at=1.0, position=place, pool="0xb0", kind="erc4626",
    ...                      reserves={"0xa5": assets}, supply=shares, extra=extra)
    >>> list(guard.observe(at(1, 10**6, 10**6))), list(guard.observe(at(2, 2 * 10**6, 2 * 10**6)))
    ([], [])
    >>> [(f.kind, f.severity.value) for f in guard.observe(at(3, 10**6, 2 * 10**6))]
    [('vault_share', 'critical')]
    """

    name: ClassVar[str] = "invariants"
    summary: ClassVar[str] = "What no honest use of a pool or vault can change has changed."
    wants: ClassVar[tuple[type[Event], ...]] = (Block, Execution, PoolState, Committed, Reverted)
    kinds: ClassVar[dict[str, str]] = {
        "pool_share": "A share of a pair is worth less of its reserves: somebody took liquidity that was not theirs.",
        "vault_share": "A share of a vault is worth less of its assets: depositors have lost money.",
        "vault_jump": "The price of a vault's share jumped: a harvest, or a donation that prepares a theft.",
    }

    def __init__(self, registry: Registry | None = None, *, rebasing: Iterable[str] = (), jump: float = 0.01) -> None:
        if not 0 < jump <= 1:
            raise ValueError(f"jump must be above 0 and at most 1, not {jump}")
        self.registry = registry or {}
        self.rebasing = frozenset(address.lower() for address in rebasing)
        self.jump = round(1 / jump)
        self._pools: dict[str, Pools] = {}

    def observe(self, event: Event) -> Iterable[Finding]:
        """Judge readings and executions; open, undo and forget blocks."""
        pools = self._pools.get(event.chain)
        if isinstance(event, Block | PoolState):
            if pools is None:
                pools = self._pools[event.chain] = Pools()
            pools.log.open(event.position.height)
            pools.height = event.position.height
            return self._reading(event, pools) if isinstance(event, PoolState) else ()
        if pools is None:
            return ()
        if isinstance(event, Execution):
            return self._execution(event, pools)
        if isinstance(event, Committed):
            pools.log.forget(event.finalized)
        elif isinstance(event, Reverted):
            pools.log.revert(event.first.height)
            pools.height = event.first.height - 1
        return ()

    def _reading(self, event: PoolState, pools: Pools) -> list[Finding]:
        found = seen(event)
        if found is None or event.pool in self.rebasing or not self.rebasing.isdisjoint(found.tokens):
            return []
        before = pools.read.get(event.pool)
        pools.read[event.pool] = pools.now[event.pool] = found
        watch = self.registry.get(event.chain, NOTHING)
        made = self._compare(event, event.pool, before, found, watch, Stage.INCLUDED, event.position) if before else None
        return [made] if made else []

    def _execution(self, event: Execution, pools: Pools) -> list[Finding]:
        if not event.frames or not event.frames[0].alive or not pools.now:
            return []
        if event.stage is Stage.PENDING and (event.on is None or event.on.height != pools.height):
            return []  # it ran after others, or blocks have come since: two states mixed prove nothing
        now = pools.now
        touched = {frame.ctx for frame in event.frames if frame.ctx in now}
        if not touched:
            return []  # what reaches or leaves a pool that does not run is told by its next reading
        return list(self._touched(event, flows(event), pools, sorted(a for a in touched if a)))

    def _touched(self, event: Execution, ledger: Ledger, pools: Pools, touched: list[str]) -> Iterator[Finding]:
        watch = self.registry.get(event.chain, NOTHING)
        mined = event.stage in MINED and event.position is not None and not event.supersedes
        for pool in touched:
            before = pools.now[pool]
            after = moved(before, pool, event, ledger)
            if after is None or after == before:
                continue
            if mined:
                pools.now[pool] = after
            if isinstance(after.numbers, Vault) and kept_at_home(ledger, watch, cluster(event, watch), pool):
                continue  # put to work in the house: total assets stay, and the next reading tells
            made = self._compare(event, pool, before, after, watch, event.stage, event.position)
            if made is not None:
                yield made

    def _compare(
        self,
        event: PoolState | Execution,
        pool: str,
        before: Seen,
        after: Seen,
        watch: Watch,
        stage: Stage,
        position: Position | None,
    ) -> Finding | None:
        judged = self._judge(before.numbers, after.numbers)
        if judged is None:
            return None
        kind, confidence, part, title = judged
        execution = event if isinstance(event, Execution) else None
        if execution is not None and not execution.logged:
            confidence = min(confidence, DOUBTFUL)
        return self.find(
            event,
            kind=kind,
            victims=(pool,),
            confidence=confidence,
            title=title.format(pool),
            evidence={"change": part, **_numbers("before", before.numbers), **_numbers("after", after.numbers)},
            stage=stage,
            watched=watch.watches(pool),
            tx=execution.tx if execution is not None else None,
            position=position,
        )

    def _judge(self, before: Pair | Vault, after: Pair | Vault) -> tuple[str, float, float, str] | None:
        """(kind, confidence, signed change, title with a place for the pool), None when the promise holds."""
        if isinstance(before, Pair) and isinstance(after, Pair):
            lost = fall(before, after)
            if lost is None:
                return None
            confidence = min(_broken(lost.part), DOUBTFUL) if lost.explicable else _broken(lost.part)
            return "pool_share", confidence, -lost.part, f"a share of {{}} lost {lost.part:.4%} of its reserves"
        if isinstance(before, Vault) and isinstance(after, Vault):
            part = change(before, after, jump=self.jump)
            if part is None:
                return None
            if part < 0:
                return "vault_share", _broken(-part), part, f"a share of {{}} lost {-part:.4%} of its assets"
            return "vault_jump", JUMP, part, f"the share price of {{}} jumped by {part:.2%}"
        return None


def _broken(part: float) -> float:
    return BROKEN + (MOST - BROKEN) * min(1.0, 10 * part)


def _numbers(when: str, numbers: Pair | Vault) -> dict[str, str | int | float]:
    if isinstance(numbers, Pair):
        named = {"reserve0": numbers.reserves[0], "reserve1": numbers.reserves[1], "supply": numbers.supply}
    else:
        named = {"assets": numbers.assets, "shares": numbers.shares}
    return {f"{name}_{when}": n if abs(n) < EXACT else str(n) for name, n in named.items()}
