"""One receiver's queue: whose turn it is, when to try again, and what to drop in a storm. Pure; time is an argument."""

import msgspec

from alerts.base import RANK
from alerts.outbox import Entry
from detectors.base import Severity


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How patient delivery is. Seconds, but `waiting`: entries one receiver may owe before the least important are dropped."""

    deadline: float = 10.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    give_up: float = 72 * 3600.0
    waiting: int = 1000


class Lane:
    """Entries of one receiver. Criticals first; within one incident in order, so that an end never overtakes its beginning."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: dict[str, Entry] = {}
        self._due: dict[str, float] = {}
        self._failures = 0
        self._open_at = 0.0
        self.gone = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def failures(self) -> int:
        """Attempts that failed on end."""
        return self._failures

    @property
    def oldest(self) -> float | None:
        """When the oldest waiting entry was made (unix seconds)."""
        return min((entry.made for entry in self._waiting.values()), default=None)

    def add(self, entry: Entry) -> list[Entry]:
        """Take an entry; what had to make room for it comes back: the oldest of the least severe, never a critical."""
        self._waiting[entry.notification.id] = entry
        shed = []
        while len(self._waiting) > self._limits.waiting:
            least = min(self._waiting.values(), key=lambda waiting: RANK[waiting.notification.severity])
            if least.notification.severity is Severity.CRITICAL:
                break
            shed.append(self.remove(least))
        return shed

    def turn(self, now: float) -> Entry | float | None:
        """The entry to send now, else the seconds until one is due, else None: nothing waits. `now` is a monotonic time."""
        heads: dict[str, Entry] = {}
        for entry in self._waiting.values():
            heads.setdefault(entry.notification.key, entry)
        if not heads:
            return None
        due = {name: max(self._open_at, self._due.get(name, 0.0)) for name in (head.notification.id for head in heads.values())}
        ready = [head for head in heads.values() if due[head.notification.id] <= now]
        if not ready:
            return min(due.values()) - now
        return max(ready, key=lambda entry: RANK[entry.notification.severity])

    def remove(self, entry: Entry) -> Entry:
        """It no longer waits (delivered or given up)."""
        self._waiting.pop(entry.notification.id, None)
        self._due.pop(entry.notification.id, None)
        return entry

    def succeeded(self) -> None:
        """The receiver works: forget its failures."""
        self._failures, self._open_at = 0, 0.0

    def failed(self, entry: Entry, now: float, jitter: float, asked: float | None = None) -> Entry:
        """Put it off: the wait doubles per failure, is scaled by 0.5 + jitter/2 (0..1), and is never shorter than `asked`.

        The whole lane waits by the receiver's failures in a row, the entry by its own, so that one that always fails holds up
        nobody for long.
        """
        again = msgspec.structs.replace(entry, attempts=entry.attempts + 1)
        self._failures += 1
        asked = (asked or 0.0) * (1 + jitter / 10)
        self._open_at = now + max(asked, self._wait(self._failures, jitter))
        if entry.notification.id in self._waiting:  # it may have been dropped in a storm while it was being sent
            self._due[entry.notification.id] = now + self._wait(again.attempts, jitter)
            self._waiting[entry.notification.id] = again
        return again

    def hopeless(self, entry: Entry, at: float) -> bool:
        """Has it been tried for so long that nobody wants to hear it any more? Never true of a critical. `at` is unix seconds."""
        return entry.notification.severity is not Severity.CRITICAL and at - entry.made > self._limits.give_up

    def clear(self) -> list[Entry]:
        """Everything that waited, taken out."""
        waiting, self._waiting, self._due = list(self._waiting.values()), {}, {}
        return waiting

    def _wait(self, failures: int, jitter: float) -> float:
        return min(self._limits.longest_wait, self._limits.first_wait * 2.0 ** min(failures - 1, 30)) * (0.5 + jitter / 2)
