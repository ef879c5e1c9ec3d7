"""The drain detector: holds what is known of each contract, judges every transaction's outflow, keeps the budgets."""

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import msgspec

from detectors.base import NOTHING, UNWATCHED_CAP, Detector, Finding, Registry, Watch
from detectors.drain.claims import WHOLE, plain, raided
from detectors.drain.suspects import exchanges, pays_positions, strangers, trades
from detectors.drain.windows import Limits, Spent, Windows
from detectors.events import Block, Committed, Event, Gap, PoolState, Price, Reverted
from detectors.execution.books import Books, attend, counts, known
from detectors.execution.frames import Execution
from detectors.execution.ledger import Ledger, flows, kept_at_home
from detectors.execution.outflow import PLAIN, POSITIONS, Known, Outflow, outflows
from detectors.execution.parties import cluster

MOST = 0.95
"""Confidence of a drain of everything."""

DOUBTFUL = 0.7
"""The most that an outflow can be held for while something of unknown worth came in."""

SWAPPED = 0.45
"""The most while that was a swap: pools trade, and a price nobody knows is no sign of theft."""

EXACT = 1 << 53
"""Beyond this an amount is evidence as decimal text."""


class Ledgers(Books):
    """The books, and the budgets beside them."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.windows = Windows(self.log, limits)


class Drain(Detector):
    """D1: more than `warn_share` of a balance leaves unpaid for. D2: budgets of (seconds, share), and one for each party a day.

    `share_tokens` names a contract's share token where it is not the contract itself.

    >>> from detectors.base import Watch
    >>> from detectors.events import Stage
    >>> from detectors.execution.frames import Context, Frame
    >>> guard = Drain({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> ask = Frame("CALL", "0xe1", "0xb0", "0xb0", 0, "0x3ccfd60b", "0x3ccfd60b", True, True, -1, 0)
    >>> pay = Frame("CALL", "0xb0", "0xe1", "0xe1", 40, None, "0x", True, True, 0, 1)
    >>> rich, vast = (Context(balances={"native": {"0xb0": held}}) for held in (100, 1000))
    >>> theft = Execution(chain="eip155:1", at=1.0, tx="0x1", stage=Stage.PENDING, frames=[ask, pay], context=rich)
    >>> [(f.kind, f.severity.value, f.evidence["share"]) for f in guard.observe(theft)]
    [('outflow', 'critical', 0.4)]
    >>> list(guard.observe(msgspec.structs.replace(theft, context=vast)))
    []
    """

    name: ClassVar[str] = "drain"
    summary: ClassVar[str] = "Value leaves a contract and nothing of like worth comes back, at once or bit by bit."
    wants: ClassVar[tuple[type[Event], ...]] = (Block, Execution, PoolState, Price, Committed, Reverted, Gap)
    kinds: ClassVar[dict[str, str]] = {
        "outflow": "A large part of a balance left in one transaction, unpaid for: depositors cannot be made whole.",
        "budget": "More left unpaid for in a minute, an hour or a day than the contract's budget: a slow drain.",
        "beneficiary": "One party took more in a day than anyone should without burning shares.",
    }

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        warn_share: float = 0.10,
        pause_share: float = 0.25,
        budgets: Limits = ((60, 0.03), (3600, 0.05), (86400, 0.15)),
        party_share: float = 0.03,
        share_tokens: Mapping[str, str] | None = None,
    ) -> None:
        if not 0 < warn_share < pause_share < 1:
            raise ValueError(f"shares must rise: 0 < warn_share {warn_share} < pause_share {pause_share} < 1")
        self.registry = registry or {}
        self.warn_share = warn_share
        self.pause_share = pause_share
        self.budgets = tuple((int(span), float(share)) for span, share in budgets)
        self.party_share = party_share
        self.share_tokens = dict(share_tokens or {})
        self._books: dict[str, Ledgers] = {}

    def observe(self, event: Event) -> Iterable[Finding]:
        """Judge an execution; learn from everything that a block holds."""
        if isinstance(event, Execution):
            return self._execution(event)
        books = attend(self._books, event, lambda: Ledgers(self.budgets))
        if isinstance(event, Gap) and event.feed == "heads" and books is not None:
            books.clock["started"] = books.now(event)  # blocks are missing: no window that reaches back over them is whole
        return ()

    def _execution(self, event: Execution) -> Iterable[Finding]:
        books = self._books.get(event.chain)
        if not event.frames or (not event.context.balances and (books is None or not books.held)):
            return ()  # no balance is known, and unknown is not zero
        ledger = flows(event)
        if not ledger:
            return ()
        return list(self._judge(event, ledger, books, self.registry.get(event.chain, NOTHING)))

    def _judge(self, event: Execution, ledger: Ledger, books: Ledgers | None, watch: Watch) -> Iterator[Finding]:
        party: frozenset[str] | None = None
        named, mined = watch.watched or frozenset(), counts(event)
        for address in sorted(_holders(ledger.parties(), event, books)):
            if party is None:
                party = cluster(event, watch)
            before = known(event, books, address, self.share_tokens.get(address))
            gone = self._gone(event, ledger, watch, party, before)
            found = self._at_once(event, ledger, watch, party, before, gone)
            if books is None or not mined or address not in books.held:
                if books is not None and address in named and address in books.held and not event.supersedes:
                    found += self._would(event, ledger, books, party, before, gone)
                yield from found
                continue
            if address in named:
                found += self._bit_by_bit(event, ledger, books, party, before, gone)
            yield from _telling(found)
            books.move(ledger, address, before.share_token)

    @staticmethod
    def _gone(event: Execution, ledger: Ledger, watch: Watch, party: frozenset[str], before: Known) -> list[Outflow]:
        address, holding = before.contract, before.holding
        if not any(amount < 0 for amount in ledger.assets(address).values()):
            return []
        if address not in (watch.watched or ()) and not strangers(event, ledger, watch, party, address):
            return []
        if holding is None or holding.kind in {PLAIN, POSITIONS}:
            before = msgspec.structs.replace(
                before,
                trades=trades(event, address),
                position=pays_positions(event, address),
                exchanges=exchanges(event, address),
            )
        return outflows(ledger, before, kept_at_home(ledger, watch, party, address))

    def _at_once(
        self, event: Execution, ledger: Ledger, watch: Watch, party: frozenset[str], past: Known, gone: list[Outflow]
    ) -> list[Finding]:
        unpaid = [flow for flow in gone if not flow.paid and (flow.share or 0.0) > self.warn_share]
        if not unpaid:
            return []
        worst = max(unpaid, key=lambda flow: (flow.share or 0.0, flow.asset))
        address, share = past.contract, worst.share or 0.0
        most = SWAPPED if worst.swapped else DOUBTFUL if worst.doubtful else 1.0
        if address not in (watch.watched or ()):
            most = min(most, _unnamed(event, ledger, party, past, worst))
        made = self.find(
            event,
            kind="outflow",
            victims=(address,),
            confidence=min(self._confidence(share), most),
            title=f"{share:.1%} of what {address} held of {worst.asset} left unpaid for in one transaction",
            evidence=_evidence(worst, ledger, address, _beneficiary(ledger, worst.asset, party)),
            stage=event.stage,
            watched=watch.watches(address),
            tx=event.tx,
            position=event.position,
        )
        return [made]

    def _confidence(self, share: float) -> float:
        """Rises with the share that left: 0.5 where it warns, 0.8 where it pauses, `MOST` for everything."""
        if share < self.pause_share:
            return 0.5 + 0.3 * (share - self.warn_share) / (self.pause_share - self.warn_share)
        return 0.8 + (MOST - 0.8) * (share - self.pause_share) / (1 - self.pause_share)

    def _bit_by_bit(
        self, event: Execution, ledger: Ledger, books: Ledgers, party: frozenset[str], past: Known, gone: list[Outflow]
    ) -> Iterator[Finding]:
        """Count what left unpaid for, and what came back without shares being minted for it. Only of assets known to be held."""
        address, amounts = past.contract, {flow.asset: flow.out for flow in gone if not flow.paid and not flow.doubtful}
        if not gone and ledger.mints(past.share_token) <= ledger.burns(past.share_token):
            amounts = {a: -n for a, n in ledger.assets(address).items() if a != address and n > 0}
        now = books.clock.get("now", event.at)
        started = books.clock.get("started", now)
        for asset, amount in amounts.items():
            if asset not in books.held[address].reserves:
                continue
            before = past.balance(asset)
            over = books.windows.spend(address, asset, amount, before, now, started)
            if over:
                yield self._over(
                    event, address, asset, max(over, key=lambda s: s.share / s.limit), _beneficiary(ledger, asset, party)
                )
            who = _beneficiary(ledger, asset, party) if amount > 0 else _payer(ledger, asset)
            who = event.sender or who if who in party else who
            took = books.windows.take(address, asset, who, amount, before, now, started, self.party_share)
            if took is not None:
                yield self._took(event, address, asset, who, took)

    def _would(
        self, event: Execution, ledger: Ledger, books: Ledgers, party: frozenset[str], past: Known, gone: list[Outflow]
    ) -> Iterator[Finding]:
        """The budget that this transaction goes over if it is mined as it ran, adding to what has left already."""
        now = books.now(event)
        for flow in gone:
            if flow.paid or flow.doubtful or flow.asset not in books.held[past.contract].reserves:
                continue
            before = past.balance(flow.asset)
            over = books.windows.would(past.contract, flow.asset, flow.out, before, now, books.clock.get("started", now))
            if over:
                who = _beneficiary(ledger, flow.asset, party)
                yield self._over(event, past.contract, flow.asset, max(over, key=lambda s: s.share / s.limit), who)

    def _over(self, event: Execution, address: str, asset: str, spent: Spent, who: str) -> Finding:
        return self.find(
            event,
            kind="budget",
            victims=(address,),
            confidence=min(MOST, 0.8 + 0.05 * (spent.share / spent.limit - 1)),
            title=f"{spent.share:.1%} of what {address} held of {asset} left unpaid for within {spent.span} s{_partly(spent)}",
            evidence=_window(asset, spent, who),
            stage=event.stage,
            watched=True,
            tx=event.tx,
            position=event.position,
        )

    def _took(self, event: Execution, address: str, asset: str, who: str, spent: Spent) -> Finding:
        return self.find(
            event,
            kind="beneficiary",
            victims=(address,),
            confidence=min(0.75, 0.5 + 0.1 * (spent.share / spent.limit - 1)),
            title=f"{who} took {spent.share:.1%} of the {asset} of {address} within a day, burning no shares{_partly(spent)}",
            evidence=_window(asset, spent, who),
            stage=event.stage,
            watched=True,
            tx=event.tx,
            position=event.position,
        )


def _unnamed(event: Execution, ledger: Ledger, party: frozenset[str], past: Known, worst: Outflow) -> float:
    """The most that a loss of a contract can be held for which nobody named, and of whose business nothing is known.

    A loan, a vested sum, a claim: one call, one payment to whoever made it. Alone that warns, and where shares went for it whose
    number nobody knows it is a redemption, unless it took all there was. Shares known to be too few, several calls, or a raid
    are something else. Of what somebody else carried off it is never known whose he is.
    """
    if not any(amount > 0 for amount in ledger.party_gain(party).values()):
        return SWAPPED if worst.surrendered and not past.supply else UNWATCHED_CAP
    if worst.surrendered and past.supply:
        return 1.0
    if not plain(event, ledger, past.contract, past.share_token) or raided(event, ledger, party, past.contract, worst):
        return 1.0
    return SWAPPED if worst.surrendered and (worst.share or 0.0) < WHOLE else UNWATCHED_CAP


def _telling(found: list[Finding]) -> list[Finding]:
    """That one party took much goes without saying where more is said."""
    return [f for f in found if f.kind != "beneficiary"] or found


def _holders(parties: set[str], event: Execution, books: Ledgers | None) -> set[str]:
    """Of which of these any balance is known."""
    held = {address for address in parties if address in books.held} if books is not None else set()
    return held.union(*(parties & holders.keys() for holders in event.context.balances.values()))


def _amount(number: int) -> int | str:
    return number if abs(number) < EXACT else str(number)


def _beneficiary(ledger: Ledger, asset: str, party: frozenset[str]) -> str:
    """Who got most of it: one of the initiator's if any of them gained, else whoever did."""
    gainers = ledger.gainers(asset)
    ours = {who: n for who, n in gainers.items() if who in party}
    return max(sorted(ours or gainers), key=(ours or gainers).__getitem__, default="nobody")


def _payer(ledger: Ledger, asset: str) -> str:
    lost = {who: assets[asset] for who, assets in ledger.losers().items() if asset in assets}
    return max(sorted(lost), key=lost.__getitem__, default="nobody")


def _evidence(flow: Outflow, ledger: Ledger, address: str, who: str) -> dict[str, str | int | float]:
    evidence: dict[str, str | int | float] = {
        "asset": flow.asset,
        "out": _amount(flow.out),
        "balance_before": _amount(flow.before or 0),
        "share": round(flow.share or 0.0, 6),
        "beneficiary": who,
    }
    came = {a: n for a, n in ledger.assets(address).items() if n > 0}
    if came:
        first = min(came)
        evidence |= {"in_asset": first, "in": _amount(came[first])}
    if flow.ratio is not None:
        evidence["value_ratio"] = round(flow.ratio, 6)
    return evidence


def _partly(spent: Spent) -> str:
    """A window that was not watched in full says so: what left before is not in it."""
    return "" if spent.filled else f" (of which only the last {spent.watched:.0f} s were watched)"


def _window(asset: str, spent: Spent, who: str) -> dict[str, str | int | float]:
    return {
        "asset": asset,
        "out": _amount(spent.total),
        "share": round(spent.share, 6),
        "limit": spent.limit,
        "window_seconds": spent.span,
        "window_filled": int(spent.filled),
        "watched_seconds": round(spent.watched, 1),
        "beneficiary": who,
    }
