"""Logs: structured, one line an event, on standard error; as JSON for machines or coloured for people."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Meanwhile there is no such module to import."""
    before = {name: sys.modules[name]} if name in sys.modules else {}
    sys.modules[name] = None  # type: ignore[assignment]  # what the import system takes for: not to be had
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(before)


with _without("rich"):  # structlog would load it for tracebacks in colour: 30 ms of every start
    import structlog


def start_logging(level: str, form: str) -> None:
    """Configure structlog and the standard library's loggers (`level` debug…error, `form` json or console)."""
    number = getattr(logging, level.upper())
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # What a client sends badly gets a 400 and is no error of ours, and what fails in a handler is logged by its middleware:
    # a traceback for each would let anyone who reaches a listener fill the log and the error tracker.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
