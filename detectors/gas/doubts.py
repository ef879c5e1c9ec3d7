"""What in the headers themselves is a reason to doubt the next answers: a hole, a clock that leaps, a limit that jumps."""

from detectors.gas.features import Header

SHAKEN_FOR = 50
"""Headers for which a doubt is said: what the features missed has then mostly faded."""

LEAP = 3_600
"""Seconds between a header and its child beyond which a clock has leapt, or the chain has stood still."""

JUMP = 1.5
"""Times the gas limit changes in one header; Ethereum's own rule allows a thousandth."""


def doubt(header: Header, parent: Header | None) -> str | None:
    """Why answers from this header on are less sure than those before; None without a reason (or a parent)."""
    if parent is None:
        return None
    if header.number != parent.number + 1:
        return f"a hole of {header.number - parent.number - 1} in the headers"
    if header.timestamp < parent.timestamp:
        return "a clock that went back"
    if header.timestamp > parent.timestamp + LEAP:
        return f"an hour or more without a header ({header.timestamp - parent.timestamp} s)"
    low, high = sorted((header.gas_limit, parent.gas_limit))
    if high > JUMP * low:
        return f"a gas limit that went from {parent.gas_limit} to {header.gas_limit}"
    return None


def sane(header: Header) -> bool:
    """Could this be a header at all? Whole numbers (a NaN is none), and below 2**63, which keeps arithmetic in range."""
    numbers = (header.number, header.timestamp, header.base_fee, header.gas_used, header.gas_limit, header.next_fee or 0)
    return all(isinstance(number, int) and 0 <= number < 2**63 for number in numbers)
