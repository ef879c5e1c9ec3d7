"""The pulse: how long our own work holds the event loop, sampled all the time.

A loop that runs late may have been held by us, or not been given a core by a busy machine. Only the first is ours to mend, so
what counts is the processor time that the loop's thread used while it was late.
"""

import asyncio
import time

from monitor import metrics

EVERY = 0.02
"""Seconds between two samples."""


async def run() -> None:
    """Sample until cancelled."""
    clock = asyncio.get_running_loop().time
    while True:
        began, used = clock(), time.thread_time()
        await asyncio.sleep(EVERY)
        metrics.LOOP_BURST.observe(burst(clock() - began - EVERY, time.thread_time() - used))


def burst(late: float, used: float) -> float:
    """Seconds that we held the loop, at most: it ran so late, and its thread used so much processor time.

    >>> burst(0.3, 0.004), burst(0.05, 0.06), burst(-0.001, 0.0)
    (0.004, 0.05, 0.0)
    """
    return max(0.0, min(late, used))
