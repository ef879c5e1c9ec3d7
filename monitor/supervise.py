"""Supervision: a part that fails unexpectedly is started again, with a growing wait, and nothing else notices."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from monitor import metrics, sentry

log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
STEADY = 60.0
"""A life that lasted so long, seconds, makes the next wait a short one again."""


async def keep(name: str, live: Callable[[], Awaitable[None]], failed: Callable[[Exception], None] | None = None) -> None:
    """Run `live` until it returns or we are cancelled. What it raises is logged, reported, counted and told to `failed`."""
    wait, clock = FIRST_WAIT, asyncio.get_running_loop()
    metrics.PARTS_FAILED.labels(name)  # a part that never failed is a figure too
    while True:
        began = clock.time()
        try:
            await live()
        except Exception as error:  # the one place that may decide: this part is begun again, the others go on
            metrics.PARTS_FAILED.labels(name).inc()
            log.exception("part_failed", part=name, again_in=wait)
            sentry.report(error)
            if failed is not None:
                failed(error)
        else:
            return
        if clock.time() - began > STEADY:
            wait = FIRST_WAIT
        await asyncio.sleep(wait)
        wait = min(LONGEST_WAIT, wait * 2)
