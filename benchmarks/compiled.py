"""Byte code as an installation has it: pip compiles what it installs, while a checkout may be run where none is ever written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def compiled() -> Iterator[None]:
    """Whatever Python is started from here keeps its byte code, in a place of its own; the first run of anything makes it."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as place:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = place
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
