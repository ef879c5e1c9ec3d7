"""The privileges detector: remembers changes of power and what was minted for nothing, and what left after them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from detectors._math.undo import Map
from detectors.base import NOTHING, Detector, Finding, Registry, Want, Watch
from detectors.events import Block, Committed, Event, PoolState, Price, Reverted
from detectors.execution.books import MINED, Books, attend, counts, known
from detectors.execution.frames import Execution, Log
from detectors.execution.ledger import TRANSFER, ZERO, Ledger, flows, kept_at_home
from detectors.execution.outflow import Known, outflows
from detectors.execution.parties import cluster
from detectors.privileges.changes import Change, borrowed, changes
from detectors.privileges.house import Paper, Pulled, minted_free, paper, pulled

DAY, HOUR = 86_400.0, 3_600.0
INSIDE, OUTSIDE = 0.01, 0.10
"""The part of a balance that may leave unpaid within a day of a change: to those who gained power, and to anyone."""

CHANGED, QUIET, AFTER, MOST = 0.55, 0.4, 0.85, 0.95
ANNOUNCED = 0.7
"""The most for a contract whose operator had said that something would change."""

PULLED, MOVED = 0.7, 0.3
"""Confidence of liquidity pulled by the house, and once it has been put back; a stranger may do with his own what he likes."""

REMEMBERED = 512
"""Mints, and pulls, remembered per chain; beyond, the oldest half is forgotten."""

TAKERS = 16
"""Who ended with most of some paper is looked at, where no pool is known: an attacker can pay anybody."""

EXACT = 1 << 53


class Keys(Books):
    """The books; who gained power and what has left since; who minted for nothing, pulled liquidity; who ran whose code."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: Map[str, tuple[Change, ...]] = self.log.map()
        self.gone: Map[tuple[str, str], int] = self.log.map()
        self.made: Map[tuple[str, str], tuple[float, int]] = self.log.map()
        self.pulls: Map[str, tuple[float, str, Pulled]] = self.log.map()
        self.house: Map[str, frozenset[str]] = self.log.map()
        self.ran: Map[tuple[str, str], int] = self.log.map()

    def learn(self, event: Block | PoolState | Price) -> None:
        """And who owns the tokens of a pool."""
        super().learn(event)
        if isinstance(event, PoolState):
            owners = frozenset(f"0x{n & (1 << 160) - 1:040x}" for name, n in event.extra.items() if name in {"owner0", "owner1"})
            if owners != self.house.get(event.pool, frozenset()):
                self.house[event.pool] = owners


class Privileges(Detector):
    """D8 and D5. `owners`: contract -> its known owners. `announced`: contract -> unix time until which changes are expected.

    >>> from detectors.base import Watch
    >>> from detectors.events import Position, Stage
    >>> from detectors.execution.frames import Frame, Log
    >>> guard = Privileges({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> def emits(*topics):
    ...     root = Frame("CALL", "0xe1", "0xb0", "0xb0", 0, "0x3659cfe6", "0x", True, True, -1, 0)
    ...     return Execution(chain="eip155:1", at=1.0, tx="0x1", stage=Stage.PENDING, frames=[root],
    ...                      steps=[Log(0, 1, "0xb0", topics, "0x")])
    >>> upgraded = "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b"
    >>> [(f.kind, f.severity.value) for f in guard.observe(emits(upgraded, "0x" + "00" * 32))]
    [('changed', 'warning')]
    >>> list(guard.observe(emits("0x" + "ab" * 32)))
    []
    """

    name: ClassVar[str] = "privileges"
    summary: ClassVar[str] = "Power over a contract changed hands and money followed, or its own house took the money out."
    wants: ClassVar[tuple[type[Event], ...]] = (Block, Execution, PoolState, Price, Committed, Reverted)
    kinds: ClassVar[dict[str, str]] = {
        "changed": "Somebody else may now upgrade, own, mint or pause the contract: what its code promises may change.",
        "after_change": "Value left unpaid for within a day of a change of power: every call is valid, and the money is gone.",
        "liquidity_pulled": "Most of a pool's liquidity was taken out by its own house: what is left cannot be sold.",
        "paper": "A pool's money was bought with tokens minted for nothing: what the pool holds instead is worthless.",
    }

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        owners: Mapping[str, Iterable[str]] | None = None,
        announced: Mapping[str, float] | None = None,
        pulled_share: float = 0.5,
        paper_share: float = 0.25,
    ) -> None:
        if not 0 < pulled_share < 1 or not 0 < paper_share < 1:
            raise ValueError(f"shares lie between 0 and 1: pulled_share {pulled_share}, paper_share {paper_share}")
        self.registry = registry or {}
        self.owners = {contract.lower(): frozenset(o.lower() for o in names) for contract, names in (owners or {}).items()}
        self.announced = {contract.lower(): float(until) for contract, until in (announced or {}).items()}
        self.pulled_share = pulled_share
        self.paper_share = paper_share
        self._books: dict[str, Keys] = {}

    def observe(self, event: Event) -> Iterable[Finding | Want]:
        """Judge an execution; learn what contracts hold. Where a watched wallet ran code new to it, ask what that wrote."""
        if isinstance(event, Execution):
            found: list[Finding | Want] = [*self._execution(event)]
            if self._ran_new(event):
                found.append(Want(event.chain, event.tx, event.stage, "code named by a caller was run; its writes decide"))
            return found
        attend(self._books, event, Keys)
        return ()

    def _ran_new(self, event: Execution) -> bool:
        """Did a contract watched by name run code it was told to and had never run before, and nobody saw what that wrote?"""
        pairs = borrowed(event, self.registry.get(event.chain, NOTHING))
        keys = self._books.get(event.chain)
        new = {pair for pair in pairs if keys is None or pair not in keys.ran}
        if keys is not None and new and counts(event) and event.position is not None:
            for pair in sorted(new):
                keys.ran[pair] = event.position.height
            _halve(keys.ran, lambda pair: keys.ran[pair])
        return bool(new) and not event.ordered and not event.supersedes

    def _execution(self, event: Execution) -> list[Finding]:
        keys = self._books.get(event.chain)
        if (not event.steps and (keys is None or not keys.held)) or not event.frames or not event.frames[0].alive:
            return []
        watch = self.registry.get(event.chain, NOTHING)
        now = keys.now(event) if keys is not None else event.at
        new = [change for change in changes(event, now) if self._concerns(watch, keys, change.contract)]
        found = [self._changed(event, watch, change) for change in new if watch.watches(change.contract)]
        if keys is not None and event.stage in MINED and event.position is not None:
            for change in new:
                if change not in keys.changed.get(change.contract, ()):  # a second look may see more than the first
                    _remember(keys, change)
        if keys is not None and keys.held:
            found += self._money(event, keys, watch, new, now)
        else:
            found += self._dumped(event, watch)
        return found

    @staticmethod
    def _concerns(watch: Watch, keys: Keys | None, contract: str) -> bool:
        """A watched contract, or a token of a watched pool: its owner is the pool's house."""
        return watch.watches(contract) or (keys is not None and any(contract in held.reserves for held in keys.held.values()))

    def _changed(self, event: Execution, watch: Watch, change: Change) -> Finding:
        named = change.contract in (watch.watched or ())
        score = CHANGED if named and not self._expected(change.contract, change.at) else QUIET
        return self._find(
            event, watch, "changed", change.contract, score,
            f"power over {change.contract} changed: {change.what}",
            {"change": change.what, "holders": ", ".join(change.holders)[:400]},
        )  # fmt: skip

    def _money(self, event: Execution, keys: Keys, watch: Watch, new: list[Change], now: float) -> list[Finding]:
        ledger = flows(event)
        touched = sorted(ledger.parties() & keys.held.keys())
        party = cluster(event, watch)
        gain = ledger.party_gain(party)
        made = minted_free(ledger, party, gain)
        found: list[Finding] = []
        for address in touched:
            past = known(event, keys, address)
            found += self._after(event, keys, watch, ledger, party, past, new, now)
            found += self._rug(event, keys, watch, ledger, party, past, gain, made, now)
            if counts(event):
                keys.move(ledger, address, past.share_token)
        found += self._put_back(event, keys, watch, gain, now)
        if counts(event) and made:
            _note(keys, party, made, now)
        return found

    def _after(
        self, event: Execution, keys: Keys, watch: Watch, ledger: Ledger, party: frozenset[str], past: Known,
        new: list[Change], now: float,
    ) -> Iterator[Finding]:  # fmt: skip
        """D8: what leaves a contract within a day of a change of power over it."""
        contract = past.contract
        recent = [c for c in (*keys.changed.get(contract, ()), *new) if c.contract == contract and c.at > now - DAY]
        recent = [change for change in recent if change.what != "paused"]
        if not recent:
            return
        inside = frozenset(holder for change in recent for holder in change.holders)
        inside |= {code.deployer for holder in inside if (code := event.context.codes.get(holder)) and code.deployer}
        for flow in outflows(ledger, past, kept_at_home(ledger, watch, party, contract)):
            if flow.paid or flow.doubtful or not flow.before:
                continue
            ours = not inside.isdisjoint(party) or not inside.isdisjoint(ledger.gainers(flow.asset))
            key = (contract, flow.asset)
            total = keys.gone.get(key, 0) + flow.out
            if counts(event):
                keys.gone[key] = total
            share = min(1.0, total / (flow.before + total - flow.out))
            if share > (INSIDE if ours else OUTSIDE):
                score = min(MOST, AFTER + 0.1 * share) if ours else ANNOUNCED
                last = recent[-1]
                yield self._find(
                    event, watch, "after_change", contract,
                    min(score, ANNOUNCED) if self._expected(contract, now) else score,
                    f"{share:.1%} of what {contract} held of {flow.asset} left unpaid for after a change of power: {last.what}",
                    {"change": last.what, "changed_in": last.tx, "seconds_since": round(now - last.at, 1), "asset": flow.asset,
                     "out": _amount(total), "share": round(share, 6), "to_the_powerful": int(ours)},
                )  # fmt: skip

    def _rug(
        self, event: Execution, keys: Keys, watch: Watch, ledger: Ledger, party: frozenset[str], past: Known,
        gain: Mapping[str, int], made: Mapping[str, int], now: float,
    ) -> Iterator[Finding]:  # fmt: skip
        """D5: liquidity pulled, or paper sold."""
        took = pulled(ledger, past, gain)
        if took is not None and took.share > self.pulled_share:
            ours = self._of_the_house(event, keys, past, party)
            score = PULLED if ours else QUIET
            if counts(event) and event.sender is not None:
                keys.pulls[event.sender] = (now, event.tx, took)
                _halve(keys.pulls, lambda key: keys.pulls[key][0])
            yield self._find(
                event, watch, "liquidity_pulled", took.pool, score,
                f"{took.share:.1%} of the liquidity of {took.pool} was pulled by one party",
                {"share": round(took.share, 6), "by": event.sender or "", "of_the_house": int(ours)},
            )  # fmt: skip
        fresh = dict(made)
        for token in past.holding.reserves if past.holding is not None else ():
            fresh[token] = fresh.get(token, 0) + sum(_made(keys, member, token, now) for member in party)
        yield from self._paper(event, watch, paper(ledger, past, gain, fresh))

    def _dumped(self, event: Execution, watch: Watch) -> Iterator[Finding]:
        """Where no pool is read at each block: paper made and sold in one transaction, to whose balances its own trace shows."""
        if not event.context.balances or not any(step.__class__ is Log and _mints(step) for step in event.steps):
            return
        ledger, party = flows(event), cluster(event, watch)
        gain = ledger.party_gain(party)
        made = minted_free(ledger, party, gain)
        for token in sorted(made):
            takers = ledger.gainers(token)
            for pool in sorted(takers.keys() - party, key=lambda who: (-takers[who], who))[:TAKERS]:
                yield from self._paper(event, watch, paper(ledger, known(event, None, pool), gain, made))

    def _paper(self, event: Execution, watch: Watch, sold: Paper | None) -> Iterator[Finding]:
        if sold is not None and sold.share >= 0.4 * self.paper_share:
            score = min(MOST, 0.8 + 0.15 * sold.share) if sold.share >= self.paper_share else 0.6
            yield self._find(
                event, watch, "paper", sold.pool, score,
                f"{sold.share:.1%} of what {sold.pool} held of {sold.asset} was bought with {sold.paper} minted for nothing",
                {"asset": sold.asset, "out": _amount(sold.out), "share": round(sold.share, 6), "paper": sold.paper,
                 "minted": _amount(sold.minted)},
            )  # fmt: skip

    def _put_back(
        self, event: Execution, keys: Keys, watch: Watch, gain: Mapping[str, int], now: float
    ) -> Iterator[Finding]:  # fmt: skip
        """The same assets put into another pool within the hour: it was a migration, and the warning is taken back."""
        pull = keys.pulls.get(event.sender or "")
        if pull is None or pull[1] == event.tx or now - pull[0] > HOUR:
            return
        at, tx, took = pull
        if all(gain.get(asset, 0) < 0 for asset in took.assets) and len(took.assets) > 1:
            if counts(event):
                del keys.pulls[event.sender or ""]
            yield self._find(
                event, watch, "liquidity_pulled", took.pool, MOVED,
                f"the liquidity pulled from {took.pool} was put to work again: a migration",
                {"share": round(took.share, 6), "seconds_since": round(now - at, 1), "by": event.sender or ""}, tx,
            )  # fmt: skip

    def _of_the_house(self, event: Execution, keys: Keys, past: Known, party: frozenset[str]) -> bool:
        """Does this party own the pool or one of its tokens, or did it deploy them?"""
        contracts = (past.contract, *(past.holding.reserves if past.holding is not None else ()))
        makers = frozenset(code.deployer for c in contracts if (code := event.context.codes.get(c)) is not None)
        owners = frozenset().union(*(self.owners.get(c, frozenset()) | keys.house.get(c, frozenset()) for c in contracts))
        return not party.isdisjoint(owners | makers)

    def _expected(self, contract: str, now: float) -> bool:
        return now < self.announced.get(contract, 0.0)

    def _find(
        self, event: Execution, watch: Watch, kind: str, contract: str, confidence: float, title: str,
        evidence: dict[str, str | int | float], tx: str | None = None,
    ) -> Finding:  # fmt: skip
        return self.find(
            event,
            kind=kind,
            victims=(contract,),
            confidence=confidence,
            title=title,
            evidence=evidence,
            stage=event.stage,
            watched=watch.watches(contract),
            tx=tx or event.tx,
            position=event.position,
        )


def _remember(keys: Keys, change: Change) -> None:
    """The last few changes of a contract; a new one begins a new count of what leaves."""
    keys.changed[change.contract] = (*keys.changed.get(change.contract, ())[-7:], change)
    if change.what == "new owner":
        keys.house[change.contract] = frozenset(change.holders)
    for key in [key for key in keys.gone if key[0] == change.contract]:
        del keys.gone[key]
    _halve(keys.changed, lambda key: keys.changed[key][-1].at)


def _mints(log: Log) -> bool:
    return len(log.topics) == 3 and log.topics[0] == TRANSFER and log.topics[1].endswith(ZERO[2:])


def _note(keys: Keys, party: frozenset[str], made: Mapping[str, int], now: float) -> None:
    for token, amount in made.items():
        for member in party:
            at, before = keys.made.get((member, token), (now, 0))
            keys.made[member, token] = (now, amount + (before if now - at < DAY else 0))
    _halve(keys.made, lambda key: keys.made[key][0])


def _made(keys: Keys, member: str, token: str, now: float) -> int:
    at, amount = keys.made.get((member, token), (0.0, 0))
    return amount if now - at < DAY else 0


def _halve(many: Map[Any, Any], age: Any) -> None:  # noqa: ANN401 - a key function over any key
    """Forget the oldest half when there are too many."""
    if len(many) > REMEMBERED:
        for key in sorted(many, key=lambda key: (age(key), key))[: REMEMBERED // 2]:
            del many[key]


def _amount(number: int) -> int | str:
    return number if abs(number) < EXACT else str(number)
