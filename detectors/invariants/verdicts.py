"""What two looks at a pool say together: the promises that were broken between them, and how badly."""

from collections.abc import Iterator
from typing import NamedTuple

from detectors.invariants.pair import Pair, fall
from detectors.invariants.stable import RAMP, Growth, Stable, drift, shrunk
from detectors.invariants.states import Accounts, Numbers
from detectors.invariants.vault import Vault, change

BROKEN, MOST = 0.85, 0.95
"""Confidence of the smallest broken invariant, and of one by a tenth or more."""

DOUBTFUL = 0.7
"""The most where a protocol fee may explain it, or the flows had to be guessed without logs."""

JUMP = 0.6
"""Confidence of a share price that jumped: a harvest does that, and a donation before a theft."""

EXACT = 1 << 53


class Broken(NamedTuple):
    """A broken promise: the signed part by which something changed, and a title with a place for the pool."""

    kind: str
    confidence: float
    part: float
    title: str


def broken(before: Numbers, after: Numbers, *, jump: int) -> Iterator[Broken]:
    """Every promise that held before and does not any more."""
    if isinstance(before, Pair) and isinstance(after, Pair):
        yield from _pair(before, after)
    elif isinstance(before, Vault) and isinstance(after, Vault):
        yield from _vault(before, after, jump)
    elif isinstance(before, Stable) and isinstance(after, Stable):
        yield from _stable(before, after)
    elif isinstance(before, Growth) and isinstance(after, Growth):
        if shrunk(before, after):
            yield Broken("fee_growth", BROKEN, -1.0, "the fees that {} has ever earned have shrunk")
    elif isinstance(before, Accounts) and isinstance(after, Accounts):
        yield from _accounts(before, after)


def numbers(when: str, seen: Numbers) -> dict[str, str | int | float]:
    """The numbers as evidence, each with `when` in its name."""
    if isinstance(seen, Pair):
        named = {"reserve0": seen.reserves[0], "reserve1": seen.reserves[1], "supply": seen.supply}
    elif isinstance(seen, Vault):
        named = {"assets": seen.assets, "shares": seen.shares}
    elif isinstance(seen, Stable):
        named = {"virtual_price": seen.virtual_price, "supply": seen.supply}
    elif isinstance(seen, Growth):
        named = {"fee_growth0": seen.fees[0], "fee_growth1": seen.fees[1]}
    else:
        named = seen.told
    return {f"{name}_{when}": n if abs(n) < EXACT else str(n) for name, n in named.items()}


def _pair(before: Pair, after: Pair) -> Iterator[Broken]:
    lost = fall(before, after)
    if lost is not None:
        confidence = min(_grave(lost.part), DOUBTFUL) if lost.explicable else _grave(lost.part)
        yield Broken("pool_share", confidence, -lost.part, f"a share of {{}} lost {lost.part:.4%} of its reserves")


def _vault(before: Vault, after: Vault, jump: int) -> Iterator[Broken]:
    part = change(before, after, jump=jump)
    if part is not None and part < 0:
        yield Broken("vault_share", _grave(-part), part, f"a share of {{}} lost {-part:.4%} of its assets")
    elif part is not None:
        yield Broken("vault_jump", JUMP, part, f"the share price of {{}} jumped by {part:.2%}")


def _stable(before: Stable, after: Stable) -> Iterator[Broken]:
    part = drift(before, after)
    if part is not None and part < 0:
        confidence = DOUBTFUL if -part <= RAMP else _grave(-part)
        yield Broken("virtual_price", confidence, part, f"the virtual price of {{}} fell by {-part:.4%}")
    elif part is not None:
        yield Broken("virtual_jump", JUMP, part, f"the virtual price of {{}} jumped by {part:.2%}")


def _accounts(before: Accounts, after: Accounts) -> Iterator[Broken]:
    """The worst of the rules that are broken now and were kept before."""
    found = []
    for rule in after.rules:
        if rule.falls:
            lost = rule.fall(before.told, after.told)
            if lost:
                found.append(Broken("accounts", _grave(lost), -lost, f"{{}} no longer keeps: {rule.text} (fell by {lost:.4%})"))
            continue
        now, was = rule.excess(after.told), rule.excess(before.told)
        if now and not was:
            found.append(Broken("accounts", _grave(now), now, f"{{}} no longer keeps: {rule.text} (by {now:.4%})"))
    yield from sorted(found, key=lambda one: -abs(one.part))[:1]


def _grave(part: float) -> float:
    return BROKEN + (MOST - BROKEN) * min(1.0, 10 * part)
