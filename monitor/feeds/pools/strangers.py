"""Strangers: tokens that nobody listed, followed because they moved in or out of a watched contract. Anyone can send one."""

from collections.abc import Collection, Iterator

from monitor.feeds.pools.base import number

DISCOVERED = 32
"""That are followed; the one that did not move for longest gives way to the next."""

BARRED = 4096
"""Whose answers were no balances, and that are remembered for it."""

LONGEST = 2 + 64 * 32
"""Characters of the longest answer that may still be a balance: a token says one word, and some a few more."""


class Strangers:
    """Those of one watched contract, the last to move at the end. `listed` are the operator's tokens, which are none."""

    def __init__(self, listed: Collection[str]) -> None:
        self._listed = listed
        self._followed: dict[str, None] = {}
        self._barred: dict[str, None] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._followed)

    def saw(self, token: str) -> None:
        """It moved: follow it from now on."""
        if token in self._listed or token in self._barred:
            return
        self._followed.pop(token, None)
        _remember(self._followed, token, DISCOVERED)

    def balance(self, token: str, answer: str | None) -> int | None:
        """What the answer says, of a listed token too. A stranger that answers at length is followed no more.

        Its megabytes would have to be fetched block after block, which costs its author next to nothing.
        """
        if token in self._followed and answer is not None and len(answer) > LONGEST:
            del self._followed[token]
            _remember(self._barred, token, BARRED)
            return None
        return number(answer)


def _remember(known: dict[str, None], token: str, most: int) -> None:
    known[token] = None
    if len(known) > most:
        del known[next(iter(known))]
