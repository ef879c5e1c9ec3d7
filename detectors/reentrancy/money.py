"""Economics: did the initiator come out ahead, and how much of the victim's holdings left uncompensated.

Balances before the transaction decide where they are known. Where they are not, money that left the victim for nothing in
return, to a party that gave nothing to anyone, speaks for itself; any other unknown counts as unknown.
"""

import msgspec

from detectors.execution.holdings import with_holdings
from detectors.execution.ledger import flows
from detectors.reentrancy.structure import Structure

GAIN_SHARE = 0.001
"""Net gain of U, as a share of the victim's asset, from which it counts."""

GAIN_USD = 1_000.0
"""Net gain of U in usd from which it counts, where prices are known."""

OUTFLOW_SHARE = 0.01
"""Uncompensated share of a victim's asset from which an outflow counts."""


class Stakes(msgspec.Struct, frozen=True, kw_only=True):
    """What was at stake. `counts`: the economic part of the score is earned. `share`: largest uncompensated outflow, None unknown.

    `why` is one of outflow, gain, price, free (see the module), or none.
    """

    counts: bool
    share: float | None
    why: str
    asset: str | None = None
    gain: int = 0


class Money:
    """The flows of one flagged transaction, U collapsed into one party."""

    def __init__(self, structure: Structure) -> None:
        self.party = structure.party
        self.execution = with_holdings(structure.execution)
        self.ledger = flows(self.execution)
        self._weighed: dict[tuple[str, ...], Stakes] = {}

    def stakes(self, victims: tuple[str, ...]) -> Stakes:
        """Weigh what `victims` lost against what U, without them, gained."""
        found = self._weighed.get(victims)
        if found is None:
            found = self._weighed[victims] = self._weigh(victims)
        return found

    def _weigh(self, victims: tuple[str, ...]) -> Stakes:
        gains = self.ledger.party_gain(self.party.difference(victims))
        shares = [s for v in victims if (s := self.ledger.outflow_share(v, self.execution)) is not None]
        share = max(shares, default=None)
        asset, gain = self._best(victims, gains)
        if share is not None and share > OUTFLOW_SHARE:
            return Stakes(counts=True, share=share, why="outflow", asset=asset, gain=gain)
        part, usd = self._relative(victims, asset, gain), self._usd(asset, gain)
        if usd is not None and usd > GAIN_USD and (part is None or part > GAIN_SHARE):
            return Stakes(counts=True, share=share, why="price", asset=asset, gain=gain)
        if usd is None and part is not None and part > GAIN_SHARE:
            return Stakes(counts=True, share=share, why="gain", asset=asset, gain=gain)
        if usd is None and part is None and gain > 0 and min(gains.values(), default=0) >= 0 and self._bled(victims):
            return Stakes(counts=True, share=share, why="free", asset=asset, gain=gain)
        return Stakes(counts=False, share=share, why="none", asset=asset, gain=gain)

    def _best(self, victims: tuple[str, ...], gains: dict[str, int]) -> tuple[str | None, int]:
        """The asset U gained most of, measured by what the victims lost of it."""
        best: tuple[float, str | None, int] = (0.0, None, 0)
        for asset, gain in sorted(gains.items()):
            lost = -sum(min(0, self.ledger.net(asset, victim)) for victim in victims)
            if gain > 0 and lost > 0 and min(gain / lost, 1.0) > best[0]:
                best = (min(gain / lost, 1.0), asset, gain)
        return best[1], best[2]

    def _relative(self, victims: tuple[str, ...], asset: str | None, gain: int) -> float | None:
        held = self.execution.context.balances.get(asset or "", {})
        before = [held[victim] for victim in victims if held.get(victim, 0) > 0]
        return gain / max(before) if before else None

    def _usd(self, asset: str | None, gain: int) -> float | None:
        price = self.execution.context.prices.get(asset or "")
        return None if price is None else gain * price

    def _bled(self, victims: tuple[str, ...]) -> bool:
        """The victims lost something and gained nothing, in any asset."""
        nets = [self.ledger.party_gain(frozenset((victim,))) for victim in victims]
        worst = min((min(net.values(), default=0) for net in nets), default=0)
        return worst < 0 and all(amount <= 0 for net in nets for amount in net.values())
