"""Rules over a contract's own accounts, written by its operator: what may never exceed what, and what may never fall."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Self

import msgspec

Sum = tuple[tuple[Fraction, str], ...]
"""Terms: a factor and a name; the name is empty for a plain number."""

DUST = Fraction(1, 10**12)
"""A ratio may lose this part to rounding."""

_TERM = re.compile(r"\s*([+-])\s*(?:([0-9]+(?:\.[0-9]+)?)\s*\*?\s*)?([a-z][a-z0-9_]*)?")


class Rule(msgspec.Struct, frozen=True):
    """`left <= right`, or where `falls`: `left / right` never falls. Sums of a contract's numbers, each with a factor.

    >>> cover = Rule.read("debt <= 0.8 * collateral")
    >>> cover.excess({"debt": 90, "collateral": 100}), cover.excess({"debt": 80, "collateral": 100}), cover.excess({"debt": 1})
    (0.125, 0.0, None)
    >>> worth = Rule.read("cash + borrows - reserves / shares never falls")
    >>> worth.fall({"cash": 10, "borrows": 5, "reserves": 5, "shares": 5}, {"cash": 9, "borrows": 5, "reserves": 5, "shares": 5})
    0.1
    """

    text: str
    left: Sum
    right: Sum
    falls: bool

    @classmethod
    def read(cls, text: str) -> Self:
        """A rule as written. Raises ValueError with what would be one."""
        falls = text.rstrip().endswith("never falls")
        body = text.rstrip().removesuffix("never falls") if falls else text
        sides = body.split("/" if falls else "<=")
        if len(sides) != 2:
            raise ValueError(f'not a rule: "{text[:80]}"; write "a + 2 * b <= 0.8 * c" or "a - b / c never falls"')
        left, right = (_sum(side, text) for side in sides)
        return cls(text.strip(), left, right, falls)

    def excess(self, numbers: Mapping[str, int]) -> float | None:
        """The part by which the left side is above the right one, 0.0 where the rule holds; None where a number is unknown."""
        left, right = _value(self.left, numbers), _value(self.right, numbers)
        if left is None or right is None:
            return None
        return 0.0 if left <= right else _part((left - right) / max(abs(right), Fraction(1)))

    def fall(self, before: Mapping[str, int], after: Mapping[str, int]) -> float | None:
        """The part of the ratio that is gone, 0.0 where it did not fall; None where it is unknown or was nothing."""
        tops = [_value(self.left, numbers) for numbers in (before, after)]
        bottoms = [_value(self.right, numbers) for numbers in (before, after)]
        (was, now), (over, under) = tops, bottoms
        if was is None or now is None or over is None or under is None or was <= 0 or over <= 0 or under <= 0:
            return None
        lost = 1 - (now * over) / (was * under)
        return _part(lost) if lost > DUST else 0.0


def _sum(text: str, whole: str) -> Sum:
    text, at, terms = text.strip(), 0, []
    text = text if text[:1] in {"+", "-"} else "+" + text
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or (found[2] is None and found[3] is None):
            raise ValueError(f'"{text[at : at + 40]}" is no term, in the rule "{whole[:80]}"')
        factor = Fraction(found[2] or "1")
        terms.append((-factor if found[1] == "-" else factor, found[3] or ""))
        at = found.end()
        at += len(text[at:]) - len(text[at:].lstrip())
    if not terms:
        raise ValueError(f'a side is empty in the rule "{whole[:80]}"')
    return tuple(terms)


def _value(side: Sum, numbers: Mapping[str, int]) -> Fraction | None:
    if any(name and name not in numbers for _, name in side):
        return None
    return sum((factor * (numbers[name] if name else 1) for factor, name in side), Fraction(0))


def _part(ratio: Fraction) -> float:
    return float(min(ratio, Fraction(10**6)))
