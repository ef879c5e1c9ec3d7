"""Headers of a seeded chain whose blocks fill as demand wants, with a timetable, for the gas tests."""

import math
import random

from detectors.gas.exact import next_base_fee
from detectors.gas.features import Header

GENESIS = 1606824023
LIMIT = 30_000_000


def headers(
    count: int, *, seed: int = 0, base_fee: int = 20 * 10**9, limit: int = LIMIT, first: int = 18_000_000, missed: float = 0.01
) -> list[Header]:
    """`count` consecutive headers; demand drifts, every fifth slot is busier. `missed` is the share of empty slots."""
    draw, out = random.Random(seed), []
    at, demand = GENESIS + 12 * 8_000_000, math.log(max(base_fee, 1))
    middle = demand
    for number in range(first, first + count):
        at += 12 * (1 + (draw.random() < missed))
        demand += draw.gauss(0, 0.02) + 0.002 * (middle - demand)
        busy = 0.6 if (at - GENESIS) // 12 % 5 == 3 else 0.0
        pull = 0.5 + 0.6 * (demand - math.log(max(base_fee, 1))) + busy + draw.gauss(0, 0.2)
        used = int(limit * min(max(pull, 0.0), 1.0))
        out.append(Header(number, at, base_fee, used, limit))
        base_fee = next_base_fee(base_fee, used, limit)
    return out
