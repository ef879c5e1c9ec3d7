"""The journal off the event loop: one worker thread, and whatever waits for it shares one commit.

A disk may take milliseconds, or hang; the loop must not. Requests are taken in the order they were made.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Self

from monitor import metrics
from monitor.errors import JournalError
from monitor.journal.base import Draft, Journal, Record, Request

_TOGETHER = 256
_CLOSE_WITHIN = 10.0

_Ticket = tuple[Request, Future[tuple[Record, ...]]]


class AsyncJournal:
    """Appends to a journal from the event loop. Use as `async with AsyncJournal(journal) as log`; closing closes the journal.

    `journal` itself stays usable for `read` and `verify`, from a thread where they may take long.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.synced_at: float | None = None
        """When the disk last confirmed a durable record (unix seconds); None: not yet in this life."""
        self._tickets: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="journal", daemon=True)
        self._closing = False

    async def __aenter__(self) -> Self:
        """Start the worker."""
        self._worker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finish what was asked for, then close the journal. Raises JournalError when the disk does not come back in time."""
        self._closing = True
        self._tickets.put(None)
        await asyncio.to_thread(self._worker.join, _CLOSE_WITHIN)
        if self._worker.is_alive():
            raise JournalError(
                f"close the journal: no answer from the disk in {_CLOSE_WITHIN:.0f} s; what is acknowledged is kept"
            )
        await asyncio.to_thread(self.journal.close)

    @property
    def head(self) -> int:
        """Sequence of the newest record on disk."""
        return self.journal.head

    @property
    def epoch(self) -> int:
        """Which incarnation of the journal this is."""
        return self.journal.epoch

    async def append(self, drafts: Sequence[Draft], expected: int | None = None) -> tuple[Record, ...]:
        """Append all or none and wait until they are kept; see `Journal.append`. Put it under a deadline.

        A caller that is cancelled before its turn leaves nothing; one cancelled during the commit finds out by folding.
        """
        if self._closing or not self._worker.is_alive():
            raise JournalError("append to the journal: it is not running")
        future: Future[tuple[Record, ...]] = Future()
        self._tickets.put(((tuple(drafts), expected), future))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while tickets := self._take():
            wanted = [(request, future) for request, future in tickets if future.set_running_or_notify_cancel()]
            if wanted:
                self._commit(wanted)

    def _take(self) -> list[_Ticket]:
        """Wait for one request and take along those already waiting; empty when it is time to go."""
        first = self._tickets.get()
        if first is None:
            return []
        tickets = [first]
        while len(tickets) < _TOGETHER:
            try:
                more = self._tickets.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._tickets.put(None)
                break
            tickets.append(more)
        return tickets

    def _commit(self, tickets: Sequence[_Ticket]) -> None:
        try:
            outcomes = self.journal.commit([request for request, _ in tickets])
        except Exception as error:  # noqa: BLE001 - every waiter is told, whatever it was; none may wait for ever
            if not isinstance(error, JournalError):
                metrics.JOURNAL_ERRORS.inc()
            for _, future in tickets:
                future.set_exception(error)
            return
        kept = [drafts for ((drafts, _), _), taken in zip(tickets, outcomes, strict=True) if isinstance(taken, tuple)]
        if any(draft.durable for drafts in kept for draft in drafts):
            self.synced_at = time.time()
        for (_, future), outcome in zip(tickets, outcomes, strict=True):
            if isinstance(outcome, JournalError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
