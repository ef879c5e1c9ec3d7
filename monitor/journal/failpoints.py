"""Named places where a test may end the process, so that what survives a crash there is seen and not argued.

Off unless `FAILPOINTS` in the environment names one, as in `journal.inserted@3`: the third time it is reached, the process gets
SIGKILL. Off, reaching one is a call of nothing.
"""

import os
import signal
from collections.abc import Callable

VARIABLE = "FAILPOINTS"
NAMES = frozenset(
    (
        "desk.shown",  # readers see a pause that the journal has not
        "desk.appended",  # the journal has it, the fold has not
        "journal.made",  # a new journal is whole, under its draft's name
        "journal.begun",
        "journal.inserted",
        "journal.committed",  # on disk, and nobody knows yet
        "journal.tidied",  # one file again, the mark still an older one
        "mark.drafted",
        "mark.renamed",
        "reserve.written",  # not synced
        "reserve.kept",
    )
)


def _nothing(name: str) -> None:
    """Nothing is armed."""


def armed(text: str) -> Callable[[str], None]:
    """What reaching a point does under this text, `name@number`. Raises ValueError."""
    target, _, number = text.partition("@")
    if target not in NAMES or not number.isdigit():
        raise ValueError(f"{VARIABLE}: {text!r} is not name@number; names are {', '.join(sorted(NAMES))}")
    left = int(number)

    def hit(name: str) -> None:
        nonlocal left
        left -= name == target
        if name == target and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return hit


reach: Callable[[str], None] = armed(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else _nothing
"""A point is reached."""
