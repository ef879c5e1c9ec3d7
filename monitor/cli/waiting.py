"""A bar on standard error for a person who waits; nobody else sees it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[], None]


@contextmanager
def bar(what: str, total: int | None, *, quiet: bool = False) -> Iterator[Advance]:
    """Call what is given once for each of `total` things done (None: nobody knows how many). It is gone at the end.

    `quiet` where the output is for a machine; where standard error is no terminal it stays silent by itself, and loads nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Standard output is the command's own: it may go into a file.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
