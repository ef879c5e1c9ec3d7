"""What every test shares: no deadline on property tests, and the recursion limit under which the daemon runs."""

from hypothesis import settings

from monitor.chains.traces import allow_deep

settings.register_profile("house", deadline=None)  # a busy machine is not a bug
settings.load_profile("house")


def pytest_collection_finish() -> None:
    """As `seawall run` does after its imports: a library that some test imports lifts the limit beyond the C stack."""
    allow_deep()
