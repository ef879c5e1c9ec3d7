"""The manipulation detector: a price believed while it was pushed, shares dearer than they cost, a first share that eats."""

from collections.abc import Iterable, Iterator, Mapping
from math import expm1
from typing import ClassVar, NamedTuple

from detectors.base import NOTHING, Detector, Finding, Registry, Watch
from detectors.events import Block, Committed, Event, PoolState, Price, Reverted
from detectors.execution.books import Books, attend, counts, known
from detectors.execution.frames import Execution
from detectors.execution.ledger import Ledger, Moved, flows, in_order
from detectors.execution.outflow import Holding, Known
from detectors.execution.parties import cluster
from detectors.execution.trusted import trusted
from detectors.manipulation.inflation import Inflated, Rounded, judge
from detectors.manipulation.looks import FEWEST, Look, looks
from detectors.manipulation.payers import Paid, dealt, payers, paying
from detectors.manipulation.rounds import minted_and_burnt, rounds
from detectors.manipulation.swings import Swing, priced, swing

BELIEVED, RETURNED, HARMED, PATTERN = 0.45, 0.38, 0.38, 0.2
"""Score: somebody who paid believed a pushed price; it came back; what he got is worth far less than what he gave; a pattern."""

FAIR = 0.9
"""The part of what he gave that he must get back, at the price before the push, for nothing to be proven."""

GUESSED = 0.7
"""The most where the price is only guessed from what the pool holds, and nobody is shown to have lost by it."""

MOST = 0.95
NOBODY = frozenset[str]()
NONE_HELD: Mapping[str, Holding] = {}
PREPARED, EATEN = 0.65, 0.9
ONCE, AGAIN = 0.65, 0.85
"""Confidence that a vault was milked: by one round in and out that paid, and by several in one transaction."""

MUCH = 0.01
"""The part of what the loser held, from which once is enough."""

EXACT = 1 << 53


class Believer(NamedTuple):
    """Who paid the initiator by a pushed price: how far off it was (|log|), what he gave and got at the honest one.

    `asker` believed it, where that is somebody else.
    """

    address: str
    off: float
    gave: float | None
    got: float = 0.0
    asker: str = ""

    @property
    def unharmed(self) -> bool:
        """He lost nothing by it."""
        return self.gave is not None and self.gave <= self.got

    @property
    def robbed(self) -> bool:
        """He got far less than he gave."""
        return self.gave is not None and self.got < FAIR * self.gave


class Manipulation(Detector):
    """D4: `push` is how far a price must have been off when it was believed, `back` how near it must come again.

    >>> from detectors.base import Watch
    >>> from detectors.events import Position, Stage
    >>> from detectors.execution.frames import Frame, Log
    >>> from detectors.execution.ledger import TRANSFER
    >>> vault, coin = "0x" + "b0" * 20, "0x" + "c0" * 20
    >>> guard, here = Manipulation({"eip155:1": Watch(watched=frozenset({vault}))}), Position(1, "0x1")
    >>> _ = guard.observe(PoolState(chain="eip155:1", at=1.0, position=here, pool=vault, kind="erc4626",
    ...                             reserves={coin: 1}, supply=1, extra={"total_assets": 1}))
    >>> def given(amount):
    ...     topics = (TRANSFER, "0x" + "e1".rjust(64, "0"), "0x" + vault[2:].rjust(64, "0"))
    ...     gift = Frame("CALL", "0xe1", coin, coin, 0, "0xa9059cbb", "0x", True, True, -1, 0)
    ...     return Execution(chain="eip155:1", at=1.0, tx="0x1", stage=Stage.PENDING, frames=[gift],
    ...                      steps=[Log(0, 1, coin, topics, f"0x{amount:064x}")])
    >>> [(f.kind, f.severity.value) for f in guard.observe(given(10**18))], list(guard.observe(given(50)))
    ([('inflated_share', 'warning')], [])
    """

    name: ClassVar[str] = "manipulation"
    summary: ClassVar[str] = "A price was pushed, somebody believed it and paid, and the push was taken back."
    wants: ClassVar[tuple[type[Event], ...]] = (Block, Execution, PoolState, Price, Committed, Reverted)
    kinds: ClassVar[dict[str, str]] = {
        "price": "A contract paid out by a price that the same transaction had pushed: its depositors carry the difference.",
        "inflated_share": "A gift made the few shares of a new vault dear: the next deposit may be rounded away.",
        "rounded_away": "A deposit made next to no shares: it belongs to whoever holds the first ones.",
        "round_trip": "Shares were bought and given back in one transaction for more than they had cost: other holders paid.",
    }

    def __init__(self, registry: Registry | None = None, *, push: float = 0.05, back: float = 0.01) -> None:
        if not 0 < back < push < 1:
            raise ValueError(f"a price must come nearer than it was pushed: 0 < back {back} < push {push} < 1")
        self.registry = registry or {}
        self.push = push
        self.back = back
        self._books: dict[str, Books] = {}
        self._harmless = {  # tokens and routers believe nothing, unless the operator watches them
            chain: (watch.trusted | trusted(chain)) - (watch.watched or frozenset()) for chain, watch in self.registry.items()
        }

    def observe(self, event: Event) -> Iterable[Finding]:
        """Judge an execution; learn what vaults hold."""
        if isinstance(event, Execution):
            return self._execution(event)
        attend(self._books, event, Books)
        return ()

    def _execution(self, event: Execution) -> list[Finding]:
        books = self._books.get(event.chain)
        held = books.held if books is not None and books.held else NONE_HELD
        if held is NONE_HELD and (len(event.frames) < FEWEST or not (event.logged or event.context.balances)):
            return []  # without logs and balances nobody can tell a price
        if not event.frames or not event.frames[0].alive:
            return []
        seen = looks(event, self._harmless.get(event.chain, NOBODY))
        shares = minted_and_burnt(event)
        if held is NONE_HELD and not seen and not shares:
            return []
        watch = self.registry.get(event.chain, NOTHING)
        ledger = flows(event)
        found = list(self._prices(event, ledger, books, watch, seen)) if seen else []
        if shares:
            found += self._rounds(event, ledger, books, watch, shares)
        touched = sorted(ledger.parties() & held.keys()) if held else []
        for address in touched:
            past = known(event, books, address)
            found += self._vault(event, ledger, past, watch)
            if books is not None and counts(event):
                books.move(ledger, address, past.share_token)
        return found

    def _prices(self, event: Execution, ledger: Ledger, books: Books | None, watch: Watch, seen: list[Look]) -> Iterator[Finding]:
        party = cluster(event, watch)
        lost = _losers(ledger, party, self._harmless.get(event.chain, NOBODY))
        if not lost:
            return
        moves: list[Moved] | None = None
        paid = Paid()
        if any(source in lost and target in party for _, source, target, _ in ledger.moves):
            moves = in_order(event)
            paid = paying(event, moves, lost, party)
        if not paid:
            seen = [look for look in seen if not lost.isdisjoint(look.askers)]
        for pool in sorted({look.pool for look in seen}):
            past = known(event, books, pool)
            balances = _balances(past)
            if past.holding is not None and past.holding.kind == "curve":
                continue  # what a stable pool holds says little of its price; its own invariant does
            if len(balances) != 2 and not priced(event, pool):
                continue
            moves = in_order(event) if moves is None else moves
            found = swing(event, pool, moves, balances)
            if found is not None:
                mine = [k for k in seen if k.pool == pool]
                believers = self._payers(event, ledger, found, mine, paid, party) | self._askers(ledger, found, mine, lost)
                made = self._believed(event, ledger, watch, found, pool, [b for b in believers.values() if not b.unharmed])
                if made is not None:
                    yield made

    def _askers(self, ledger: Ledger, found: Swing, seen: list[Look], lost: frozenset[str]) -> dict[str, Believer]:
        """Who asked for the price and paid, by address."""
        believers: dict[str, Believer] = {}
        for look in seen:
            off = found.at(look.frame)
            for asker in (a for a in look.askers if a in lost and a != look.pool):
                if expm1(off) > self.push and off > believers.get(asker, Believer(asker, 0.0, None)).off:
                    believers[asker] = Believer(asker, off, *_given(ledger, asker, found))
        return believers

    def _payers(
        self, event: Execution, ledger: Ledger, found: Swing, seen: list[Look], paid: Paid, party: frozenset[str]
    ) -> dict[str, Believer]:
        """Who paid for what another asked, by address: the price was off before that one was called.

        Who got something for it must be shown to have lost: so it is with anybody who trades.
        """
        believers: dict[str, Believer] = {}
        for look in seen if paid else ():
            for who, asker, entered in payers(event, look, paid, party):
                off = min(found.at(entered), found.at(look.frame))
                if expm1(off) <= self.push or off <= believers.get(who, Believer(who, 0.0, None)).off:
                    continue
                made = Believer(who, off, *dealt(ledger, party, look.pool, found), asker)
                if made.robbed or not any(n > 0 for asset, n in ledger.assets(who).items() if asset != who):
                    believers[who] = made
        return believers

    def _believed(
        self, event: Execution, ledger: Ledger, watch: Watch, found: Swing, pool: str, believers: list[Believer]
    ) -> Finding | None:
        if not believers:
            return None
        worst = max(believers, key=lambda b: (watch.watches(b.address), (b.gave or 0.0) - b.got, b.off, b.address))
        returned = expm1(found.end) < self.back
        score = BELIEVED + RETURNED * returned + HARMED * worst.robbed + PATTERN * bool(found.pattern)
        if not found.certain and not worst.robbed:
            score = min(score, GUESSED)
        others = {b.address for b in believers} | {b.asker for b in believers if b.asker}
        victims = (worst.address, *sorted(others - {worst.address}))
        return self.find(
            event,
            kind="price",
            victims=victims,
            confidence=min(MOST, score),
            title=f"{worst.address} paid out while the price of {pool} was {expm1(worst.off):.0%} off",
            evidence=_evidence(ledger, found, worst, pool),
            stage=event.stage,
            watched=any(watch.watches(victim) for victim in victims),
            tx=event.tx,
            position=event.position,
        )

    def _rounds(
        self, event: Execution, ledger: Ledger, books: Books | None, watch: Watch, shares: frozenset[str]
    ) -> Iterator[Finding]:  # fmt: skip
        """Vaults that were entered and left in this transaction, and paid for the visit."""
        for made in rounds(event, ledger, in_order(event), cluster(event, watch), shares):
            lost, before = -ledger.net(made.asset, made.loser), known(event, books, made.loser).balance(made.asset)
            much = before is not None and lost > MUCH * before > 0
            victims = tuple(dict.fromkeys((made.vault, made.loser)))
            yield self.find(
                event,
                kind="round_trip",
                victims=victims,
                confidence=AGAIN if made.times > 1 or much else ONCE,
                title=f"{made.vault} paid {made.got / made.put - 1:.2%} more for shares than they had cost in this transaction",
                evidence={
                    "asset": made.asset, "in": _amount(made.put), "out": _amount(made.got), "rounds": made.times,
                    "gain": _amount(made.got - made.put),
                },
                stage=event.stage,
                watched=any(watch.watches(victim) for victim in victims),
                tx=event.tx,
                position=event.position,
            )  # fmt: skip

    def _vault(self, event: Execution, ledger: Ledger, past: Known, watch: Watch) -> Iterator[Finding]:
        judged = judge(event, ledger, in_order(event), past) if _few(event, past) else None
        vault, evidence = past.contract, dict[str, str | int | float]()
        if isinstance(judged, Inflated):
            kind, score = "inflated_share", PREPARED
            title = f"{vault} of {judged.shares} shares was given {judged.given / judged.worth:.3g} times what a share is worth"
            evidence = {"asset": judged.asset, "given": _amount(judged.given), "shares": judged.shares}
            evidence["share_worth"] = _amount(judged.worth)
        elif isinstance(judged, Rounded):
            kind, score = "rounded_away", EATEN
            title = f"a deposit of {judged.paid} into {vault} made {judged.made} shares where {judged.fair:.4g} were due"
            evidence = {"asset": judged.asset, "paid": _amount(judged.paid), "made": judged.made, "due": judged.fair}
        else:
            return
        yield self.find(
            event,
            kind=kind,
            victims=(vault,),
            confidence=score,
            title=title,
            evidence=evidence,
            stage=event.stage,
            watched=watch.watches(vault),
            tx=event.tx,
            position=event.position,
        )


def _few(event: Execution, past: Known) -> bool:
    """Has it, or may it have, few enough shares to be worth a look?"""
    return (past.supply or 0) <= 1_000 and (past.contract in event.context.supplies or past.holding is not None)


def _losers(ledger: Ledger, party: frozenset[str], harmless: frozenset[str]) -> frozenset[str]:
    """Who lost something that the initiator gained."""
    gained = {asset for asset, amount in ledger.party_gain(party).items() if amount > 0}
    return frozenset(
        address
        for address, assets in ledger.losers().items()
        if address not in party and address not in harmless and not gained.isdisjoint(assets)
    )


def _balances(past: Known) -> dict[str, int]:
    """The two balances a pool trades, as far as known."""
    if past.holding is not None and len(past.holding.reserves) == 2:
        return {asset: amount for asset in past.holding.reserves if (amount := past.balance(asset)) is not None}
    held = {a: who[past.contract] for a, who in past.context.balances.items() if past.contract in who}
    return held if len(held) == 2 else {a: n for a, n in held.items() if a != "native"}


def _given(ledger: Ledger, who: str, found: Swing) -> tuple[float | None, float]:
    """What `who` gave and got at the price before the push, in units of the second asset; None if it moved anything else, too."""
    first, second = found.assets
    changes: Mapping[str, int] = {a: n for a, n in ledger.assets(who).items() if a != who}
    if not changes or not changes.keys() <= {first, second}:
        return None, 0.0
    worth = [changes.get(first, 0) * found.start, float(changes.get(second, 0))]
    return -sum(w for w in worth if w < 0), sum(w for w in worth if w > 0)


def _evidence(ledger: Ledger, found: Swing, worst: Believer, pool: str) -> dict[str, str | int | float]:
    evidence: dict[str, str | int | float] = {
        "pool": pool,
        "price_before": found.start,
        "off_when_believed": round(expm1(worst.off), 6),
        "off_at_end": round(expm1(found.end), 6),
    }
    changes = ledger.assets(worst.address)
    for name, sign in (("out", -1), ("in", 1)):
        moved = {a: abs(n) for a, n in changes.items() if n * sign > 0}
        if moved:
            asset = max(sorted(moved), key=moved.__getitem__)
            evidence |= {f"{name}_asset": asset, name: _amount(moved[asset])}
    if worst.gave is not None:
        evidence |= {"lost_at_price_before": worst.gave - worst.got, "lost_in": found.assets[1]}
    if found.pattern:
        evidence["pattern"] = found.pattern
    return evidence


def _amount(number: int) -> int | str:
    return number if abs(number) < EXACT else str(number)
