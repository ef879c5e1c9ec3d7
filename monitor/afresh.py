"""Afresh: which pending transactions a new block makes worth judging once more. Pure.

A verdict holds on the block it was given on. The next one may have been there already when it was given, unknown to us: a
contract deployed in it was no contract yet, and the attack that goes through it looked like nothing. Later blocks change what a
transaction finds, too; of those, only what may touch a watched contract, or goes where the block went, is looked at again.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable

import msgspec

REMEMBERED = 10_000
"""Verdicts remembered, and as many that were too poor; beyond, the oldest verdict stands."""

A_BLOCK = 128
"""Older verdicts looked at again after one block."""


class _Verdict(msgspec.Struct, frozen=True, gc=False):
    """`near`: it may touch a watched contract, and is quickly simulated."""

    head: str
    at: float
    to: str | None
    near: bool


class Afresh:
    """One chain's. Times are unix seconds, fees wei per gas."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[str, _Verdict] = OrderedDict()
        self._poor: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, tx_id: object) -> bool:
        return tx_id in self._verdicts

    def judged(self, tx_id: str, to: str | None, head: str, at: float, *, near: bool) -> None:
        """A verdict that fears nothing was given `at` a time, on the block `head`."""
        self._verdicts[tx_id] = _Verdict(head, at, to, near)
        self._verdicts.move_to_end(tx_id)
        if len(self._verdicts) > REMEMBERED:
            self._verdicts.popitem(last=False)

    def too_poor(self, tx_id: str, max_fee: int) -> None:
        """It was not judged, since no block would take it at its fee. Blocks may become cheaper."""
        self._poor[tx_id] = max_fee
        if len(self._poor) > REMEMBERED:
            self._poor.popitem(last=False)

    def forget(self, ids: Iterable[str]) -> None:
        """These were mined."""
        for tx_id in ids:
            self._verdicts.pop(tx_id, None)
            self._poor.pop(tx_id, None)

    def after(self, head: str, since: float, touched: Collection[str], least_fee: int) -> list[str]:
        """What to judge on `head`, a block that may have been there `since`, and ran code of the contracts `touched`.

        All that was judged since then on another block; up to `A_BLOCK` of the older; and who is rich enough now.

        >>> afresh = Afresh()
        >>> afresh.judged("0x1", "0xc", "0xparent", 5.0, near=False)
        >>> afresh.judged("0x2", "0xd", "0xparent", 9.0, near=False)
        >>> afresh.after("0xnew", 8.0, (), 0), afresh.after("0xnewer", 20.0, {"0xc"}, 0)
        (['0x2'], ['0x1'])
        """
        found, older = [], 0
        for tx_id, verdict in self._verdicts.items():
            if verdict.head == head:
                continue
            if verdict.at >= since:
                found.append(tx_id)
            elif older < A_BLOCK and (verdict.near or verdict.to in touched):
                older += 1
                found.append(tx_id)
        rich = [tx_id for tx_id, fee in self._poor.items() if fee >= least_fee]
        self.forget([*found, *rich])
        return found + rich
