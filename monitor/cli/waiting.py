"""A bar on standard error for a person who waits; nobody else sees it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[], None]


@contextmanager
def bar(what: str, total: int | None, *, quiet: bool = False) -> Iterator[Advance]:
    """Call what is given once for each of `total` things done (None: nobody knows how many). It is gone at the end.

    `quiet` where the output is for a machine; where standard error is no terminal it stays silent by itself.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
