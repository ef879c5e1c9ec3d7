"""The invariant detector: compares what pools promise across block ends, and before and after every transaction."""

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from detectors._math.undo import Map, Undo
from detectors.base import NOTHING, Detector, Finding, Registry, Watch
from detectors.events import Block, Committed, Event, PoolState, Position, Reverted, Stage
from detectors.execution.frames import Execution
from detectors.execution.ledger import Ledger, flows, kept_at_home
from detectors.execution.parties import cluster
from detectors.invariants.rules import Rule
from detectors.invariants.states import Seen, moved, seen
from detectors.invariants.vault import Vault
from detectors.invariants.verdicts import DOUBTFUL, broken, numbers

MINED = frozenset((Stage.INCLUDED, Stage.SAFE, Stage.FINAL))


class Pools:
    """One chain's pools: as last read, and as the transactions since have moved them."""

    def __init__(self) -> None:
        self.log = Undo()
        self.read: Map[str, Seen] = self.log.map()
        self.now: Map[str, Seen] = self.log.map()
        self.height = -1
        """The newest block opened."""


class Invariants(Detector):
    """D3: k over supply squared of a Uniswap V2 pair, an ERC-4626 share price, Curve's virtual price, V3's fees never fall.

    `rebasing`: pools or tokens whose balances change by themselves; they are left out. `accounts`: contract -> rules over the
    numbers it is asked for, `"debt <= 0.8 * collateral"` or `"cash + borrows - reserves / shares never falls"`.

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
        "virtual_price": "A share of a stable pool is worth less: somebody took liquidity that was not theirs.",
        "virtual_jump": "A share of a stable pool is worth much more at once: a donation that prepares a theft, or a mistake.",
        "fee_growth": "A pool's counter of fees went back, which its code cannot do: it is not the code it was.",
        "accounts": "A contract's own books break a rule that its operator wrote: more is owed or issued than is there.",
    }

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        rebasing: Iterable[str] = (),
        jump: float = 0.01,
        accounts: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        if not 0 < jump <= 1:
            raise ValueError(f"jump must be above 0 and at most 1, not {jump}")
        self.registry = registry or {}
        self.rebasing = frozenset(address.lower() for address in rebasing)
        self.jump = round(1 / jump)
        self.accounts = {where.lower(): tuple(map(Rule.read, rules)) for where, rules in (accounts or {}).items()}
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
        found = seen(event, self.accounts.get(event.pool, ()))
        if found is None or event.pool in self.rebasing or not self.rebasing.isdisjoint(found.tokens):
            return []
        before = pools.read.get(event.pool)
        pools.read[event.pool] = pools.now[event.pool] = found
        watch = self.registry.get(event.chain, NOTHING)
        return list(self._compare(event, event.pool, before, found, watch, Stage.INCLUDED, event.position)) if before else []

    def _execution(self, event: Execution, pools: Pools) -> list[Finding]:
        if not event.frames or not event.frames[0].alive or not pools.now:
            return []
        if event.stage not in MINED and (event.on is None or event.on.height != pools.height):
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
            yield from self._compare(event, pool, before, after, watch, event.stage, event.position)

    def _compare(
        self,
        event: PoolState | Execution,
        pool: str,
        before: Seen,
        after: Seen,
        watch: Watch,
        stage: Stage,
        position: Position | None,
    ) -> Iterator[Finding]:
        execution = event if isinstance(event, Execution) else None
        for found in broken(before.numbers, after.numbers, jump=self.jump):
            guessed = execution is not None and not execution.logged
            yield self.find(
                event,
                kind=found.kind,
                victims=(pool,),
                confidence=min(found.confidence, DOUBTFUL) if guessed else found.confidence,
                title=found.title.format(pool),
                evidence={"change": found.part, **numbers("before", before.numbers), **numbers("after", after.numbers)},
                stage=stage,
                watched=watch.watches(pool),
                tx=execution.tx if execution is not None else None,
                position=position,
            )
