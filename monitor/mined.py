"""What blocks said of their transactions: the verdict on a mined one is that of its block, whatever is told of it later. Pure.

A pending transaction is simulated on a state that its block need not have. When that verdict comes after that of the block, the
block has the last word: a hold placed on the guess would rest on what can never be pending again, and nothing would end it.
"""

from collections import OrderedDict
from typing import NamedTuple

KEPT = 16_384
"""Mined transactions remembered: those of some eighty full blocks of Ethereum."""


class _Verdict(NamedTuple):
    height: int
    harmless: bool


class Mined:
    """One chain's mined transactions, the newest, as they were judged in the blocks that hold them. In it is who has a verdict.

    >>> mined = Mined()
    >>> mined.judged("0x1", 7, harmless=True), "0x1" in mined, mined.harmless("0x1")
    (None, True, True)
    >>> mined.reverted(7), "0x1" in mined
    (['0x1'], False)
    """

    def __init__(self) -> None:
        self._verdicts: OrderedDict[str, _Verdict] = OrderedDict()

    def __contains__(self, tx: object) -> bool:
        return tx in self._verdicts

    def harmless(self, tx: str) -> bool:
        """Was it judged in a block that stands, and not feared there?"""
        return tx in self._verdicts and self._verdicts[tx].harmless

    def judged(self, tx: str, height: int, *, harmless: bool, again: bool = False) -> None:
        """Its verdict in a block. `again`: after a second look, which clears nobody whom the first one feared."""
        if again and tx in self._verdicts:
            harmless = harmless and self._verdicts[tx].harmless
        self._verdicts[tx] = _Verdict(height, harmless)
        self._verdicts.move_to_end(tx)
        if len(self._verdicts) > KEPT:
            self._verdicts.popitem(last=False)

    def reverted(self, height: int) -> list[str]:
        """The blocks from this height on were taken back: whom they held, forgotten here, may be pending again."""
        back = [tx for tx, verdict in self._verdicts.items() if verdict.height >= height]
        for tx in back:
            del self._verdicts[tx]
        return back
