"""What every test shares: what counts as slow, no deadline on property tests, and the daemon's recursion limit."""

import os

import pytest
from hypothesis import settings

from monitor.chains.traces import allow_deep

settings.register_profile("house", deadline=None)  # a busy machine is not a bug
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

REAL_PARTS = frozenset(
    f"tests.support.{name}"
    for name in ("alertmanager", "browser", "bytecode", "chain", "daemon", "following", "prometheus", "show", "street", "tapes")
) | {"monitor.demo.anvil", "benchmarks.ingest", "benchmarks.flood"}
"""Modules that start a node, a daemon or another program."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test file that starts real parts is slow: `make check` leaves it out, `make test` runs it."""
    for item in items:
        module = getattr(item, "module", None)
        used = {getattr(value, "__module__", None) for value in vars(module).values()} if module is not None else set()
        if used & REAL_PARTS:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """As `seawall run` does after its imports: a library that some test imports lifts the limit beyond the C stack."""
    allow_deep()
