"""How many questions may be asked twice: a share of all that are asked, with a few in hand for a bad moment."""


class Credit:
    """`share` of a second question comes with every first one; as many as `most` may be saved up."""

    def __init__(self, share: float, most: float) -> None:
        self._share, self._most, self._left = share, most, most

    def earn(self) -> None:
        """One was asked the first time."""
        self._left = min(self._most, self._left + self._share)

    def spend(self) -> bool:
        """May one be asked twice? Then that much less is left.

        >>> credit = Credit(0.5, 1.0)
        >>> credit.spend(), credit.spend(), credit.earn(), credit.spend(), credit.earn(), credit.spend()
        (True, False, None, False, None, True)
        """
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def give_back(self) -> None:
        """It need not be asked twice after all."""
        self._left += 1.0
