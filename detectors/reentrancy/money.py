"""Economics: did the initiator come out ahead, and how much of the victim's holdings left uncompensated.

Balances before the transaction decide where they are known. Where they are not, money that left the victim for nothing in
return, to a party that gave nothing to anyone, speaks for itself; any other unknown counts as unknown.
"""

import msgspec

from detectors.execution.holdings import with_holdings
from detectors.execution.ledger import ZERO, Ledger, flows
from detectors.reentrancy.structure import Structure

GAIN_SHARE = 0.001
"""Net gain of U, as a share of the victim's asset, from which it counts."""

GAIN_USD = 1_000.0
"""Net gain of U in usd from which it counts, where prices are known."""

OUTFLOW_SHARE = 0.01
"""Uncompensated share of a victim's asset from which an outflow counts."""


LOSERS = 64
"""How many losers besides the victims, and how many outsiders entered again, are considered; an attacker can make any number."""


class Stakes(msgspec.Struct, frozen=True, kw_only=True):
    """What was at stake. `counts`: the economic part of the score is earned. `share`: largest uncompensated outflow, or None.

    `why`: outflow (of the victim), gain or price (what U made), free (somebody, `loser`, lost for nothing), debit (a payment
    whose entry in the books was overwritten), minted (twice, for nothing), misled (who paid by torn books), paid (U was, while
    somebody waited), own (only its own token was sold), none.
    """

    counts: bool
    share: float | None
    why: str
    asset: str | None = None
    gain: int = 0
    loser: str | None = None


class Money:
    """The flows of one flagged transaction, U collapsed into one party.

    `ours`: U and the outsiders between. `handed`: somebody handed U something, though it may have passed it on to where it is no
    longer seen as U's.
    """

    def __init__(self, structure: Structure) -> None:
        self.handed = False
        self.party = structure.party
        self.known = structure.known
        self.execution = with_holdings(structure.execution)
        self.ledger = flows(self.execution)
        between = {structure.acts.ctx[fellow] for fellow in structure.fellows}
        again = between & {structure.acts.ctx[act] for act in structure.outers}
        looked_at = sorted(ctx for ctx in again if ctx is not None)[:LOSERS]
        between -= again.difference(ctx for ctx in looked_at if self._enriched(ctx))
        self.ours = structure.party | between
        made_up = {a for a in between if a is not None and self.ledger.burns(a) <= self.ledger.mints(a)}
        self._worthless = structure.party | made_up
        self.assets = frozenset(self.ledger.sums())
        self._weighed: dict[tuple[str, ...], Stakes] = {}

    def _enriched(self, contract: str) -> bool:
        """Did it only gain, and issue nothing? Whoever is called back by its lender and robs another is itself entered again."""
        if contract in self.known or self.ledger.mints(contract):
            return False
        changes = self.ledger.assets(contract).values()
        return max(changes, default=0) > 0 and min(changes) >= 0

    def stakes(self, victims: tuple[str, ...]) -> Stakes:
        """Weigh what `victims` lost against what U, without them, gained."""
        found = self._weighed.get(victims)
        if found is None:
            found = self._weighed[victims] = self._weigh(victims)
        return found

    def _weigh(self, victims: tuple[str, ...]) -> Stakes:
        gains = self._real(self.ledger.party_gain(self.party.difference(victims)))
        shares = [s for v in victims if (s := self.ledger.outflow_share(v, self.execution)) is not None]
        share = max(shares, default=None)
        asset, gain = self._best(victims, gains)
        losses = self.ledger.losers()
        given = any(
            amount > 0 for victim in victims if victim in losses for amount in self._real(self.ledger.assets(victim)).values()
        )
        part, usd = self._relative(victims, asset, gain), self._usd(asset, gain)
        costless = self.costless(victims)
        if share is not None and share > OUTFLOW_SHARE and (usd is not None or costless or not given):
            return Stakes(counts=True, share=share, why="outflow", asset=asset, gain=gain)
        if usd is not None and usd > GAIN_USD and (part is None or part > GAIN_SHARE):
            return Stakes(counts=True, share=share, why="price", asset=asset, gain=gain)
        if usd is None and part is not None and part > GAIN_SHARE and costless:
            return Stakes(counts=True, share=share, why="gain", asset=asset, gain=gain)
        profits = self.handed or any(amount > 0 for amount in gains.values())
        if usd is None and part is None and costless and profits and (loss := self._bled(victims)) is not None:
            loser, lost, amount = loss
            return Stakes(counts=True, share=share, why="free", asset=lost, gain=gains.get(lost, amount), loser=loser)
        return Stakes(counts=False, share=share, why="none", asset=asset, gain=gain)

    def _real(self, changes: dict[str, int]) -> dict[str, int]:
        """Without tokens that the initiator or an outsider between made up: giving those away costs nothing.

        An outsider whose token was burnt may be an honest vault that paid for its shares.
        """
        return {asset: amount for asset, amount in changes.items() if asset not in self._worthless}

    def _best(self, victims: tuple[str, ...], gains: dict[str, int]) -> tuple[str | None, int]:
        """The asset U gained most of: as a part of what the victims held of it, and, where that is unknown, of what they lost.

        A grain of something else, left in U's hands on purpose, hides nothing.
        """
        best: tuple[float, float, str | None, int] = (0.0, 0.0, None, 0)
        for asset, gain in sorted(gains.items()):
            lost = -sum(min(0, self.ledger.net(asset, victim)) for victim in victims)
            if gain > 0 and lost > 0:
                found = (self._relative(victims, asset, gain) or 0.0, min(gain / lost, 1.0))
                if found > best[:2]:
                    best = (*found, asset, gain)
        return best[2], best[3]

    def _relative(self, victims: tuple[str, ...], asset: str | None, gain: int) -> float | None:
        held = self.execution.context.balances.get(asset or "", {})
        before = [held[victim] for victim in victims if held.get(victim, 0) > 0]
        return gain / max(before) if before else None

    def _usd(self, asset: str | None, gain: int) -> float | None:
        price = self.execution.context.prices.get(asset or "")
        return None if price is None else gain * price

    def _bled(self, victims: tuple[str, ...]) -> tuple[str, str, int] | None:
        """Who lost something and got nothing for it, no share of its own burnt either: a victim rather than anyone else.

        (address, asset, amount lost), None when every loser outside U was given something.
        """
        losers = self.ledger.losers()
        others = sorted(loser for loser in losers if loser not in victims and loser not in self.party and loser not in self.known)
        for loser in (*(victim for victim in victims if victim in losers), *others[:LOSERS]):
            if self.robbed(loser):
                changes = self._real(self.ledger.assets(loser))
                asset, amount = min(changes.items(), key=lambda change: (change[1], change[0]))
                return loser, asset, -amount
        return None

    def costless(self, victims: tuple[str, ...]) -> bool:
        """Did U, without the victims, give nothing of worth to anybody?"""
        return min(self._real(self.ledger.party_gain(self.party.difference(victims))).values(), default=0) >= 0

    def robbed(self, contract: str | None) -> bool:
        """Did it end with less, with nothing in return, and no share of its own burnt? Then no callback was as it should be."""
        if contract is None:
            return False
        changes = self._real(self.ledger.assets(contract)).values()
        return bool(changes) and max(changes) < 0 and self.ledger.burns(contract) <= self.ledger.mints(contract)

    def overdrawn(self, contract: str | None) -> bool:
        """Did U and the outsiders put something into this contract, and take more of the same out, in this very transaction?"""
        put, taken = dict[str, int](), dict[str, int]()
        for asset, source, target, amount in self.ledger.moves:
            if target == contract and source in self.ours:
                put[asset] = put.get(asset, 0) + amount
            elif source == contract and target in self.ours:
                taken[asset] = taken.get(asset, 0) + amount
        return any(taken.get(asset, 0) > amount for asset, amount in put.items())

    def bleeds(self, consumers: tuple[str, ...]) -> float:
        """The largest known share of a holding that left one of these, as far as no price from before makes up for it."""
        return max((self.ledger.outflow_share(one, self.execution) or 0.0 for one in consumers), default=0.0)

    def remade(self, first: int, end: int) -> bool:
        """Were shares of anything made or burnt in the frames first..end-1?"""
        return any(ZERO in (source, target) for _, source, target, _ in self.within(first, end).moves)

    def within(self, first: int, end: int) -> Ledger:
        """The flows of the frames first..end-1 alone."""
        frames = [
            frame if first <= i < end else msgspec.structs.replace(frame, alive=False)
            for i, frame in enumerate(self.execution.frames)
        ]
        return flows(msgspec.structs.replace(self.execution, frames=frames))

    def falls(self, contract: str) -> bool:
        """Did this contract end with less of anything?"""
        return any(amount < 0 for amount in self.ledger.assets(contract).values())
