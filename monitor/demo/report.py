"""The report of the show: what was measured, from the observer's notes. One JSON object."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec


class Outcome(msgspec.Struct, kw_only=True):
    """One attack as the observer saw it. Times are unix seconds of the observer's clock, durations milliseconds.

    `headroom_seconds` is from the flag reading pause to the block that holds the attack; `gone_share` the part of the victim's
    money that the attack took on the chain (a pause protects the integration's users, it does not stop the chain).
    """

    name: str
    integration: str
    attack_tx: str
    ordered: bool = False
    sent_at: float
    pending_seen_at: float | None = None
    flag_paused_at: float | None = None
    mined_at: float | None = None
    pause_before_mined: bool = False
    pending_to_flag_ms: float | None = None
    headroom_seconds: float | None = None
    gone_share: float | None = None
    finding: dict[str, Any] | None = None
    trace_ms: float | None = None
    flag_get_ms: float | None = None

    def settle(self) -> None:
        """Derive the durations once the times are known."""
        if self.pending_seen_at is not None and self.flag_paused_at is not None:
            self.pending_to_flag_ms = round((self.flag_paused_at - self.pending_seen_at) * 1e3, 3)
        if self.flag_paused_at is not None and self.mined_at is not None:
            self.headroom_seconds = round(self.mined_at - self.flag_paused_at, 3)
            self.pause_before_mined = self.flag_paused_at < self.mined_at


class Private(msgspec.Struct, kw_only=True):
    """The attack nobody could see coming: several transactions, none ever pending. Only the first block can tell.

    `block_to_flag_ms` is from the announcement of the block with its first transaction to the flag reading pause;
    `saved_share` the part of the payment company's deposit that its rescue brought home.
    """

    name: str
    integration: str
    attack_txs: list[str]
    seen_pending: int
    block_seen_at: float | None = None
    flag_paused_at: float | None = None
    block_to_flag_ms: float | None = None
    paused_after_transactions: int | None = None
    saved_share: float | None = None
    saved_share_without: float | None = None


def quantile(values: Sequence[float], q: float) -> float | None:
    """The smallest value that at least a part `q` of the values do not exceed; None of nothing.

    >>> quantile([3.0, 1.0, 2.0], 0.5), quantile([1.0, 2.0], 0.99), quantile([], 0.5)
    (2.0, 2.0, None)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None


def latencies(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Pending-to-flag against its own yardstick, measured interleaved in the same run: one trace and one flag read."""
    lanes = {}
    for lane, ordered in (("call_tree", False), ("ordered_storage", True)):
        done = [o for o in outcomes if o.ordered is ordered and o.pending_to_flag_ms is not None]
        flag = [o.pending_to_flag_ms for o in done if o.pending_to_flag_ms is not None]
        trace = [o.trace_ms for o in done if o.trace_ms is not None]
        read = [o.flag_get_ms for o in done if o.flag_get_ms is not None]
        over = [o.pending_to_flag_ms - o.trace_ms for o in done if o.pending_to_flag_ms is not None and o.trace_ms is not None]
        if not flag:
            continue
        lanes[lane] = {
            "n": len(flag), "p50_ms": _r(quantile(flag, 0.5)), "p99_ms": _r(quantile(flag, 0.99)),
            "tracer_p50_ms": _r(quantile(trace, 0.5)), "tracer_p99_ms": _r(quantile(trace, 0.99)),
            "flag_get_p50_ms": _r(quantile(read, 0.5)), "flag_get_p99_ms": _r(quantile(read, 0.99)),
            "beyond_tracer_p50_ms": _r(quantile(over, 0.5)),
        }  # fmt: skip
        yardstick = (quantile(trace, 0.99) or 0.0) + (quantile(read, 0.99) or 0.0)
        lanes[lane]["p99_over_yardstick"] = _r((quantile(flag, 0.99) or 0.0) / yardstick) if yardstick else None
    return lanes


def _r(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
