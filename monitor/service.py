"""The service manager's side: ready, alive, stopping, as `sd_notify(3)` wants them, in one datagram each.

A ping is sent by a task of the event loop, and only while the pipeline moves, so that a loop that hangs or a pipeline that
stands still is restarted by whoever waits for the pings. Blind is alive: restarting us gives no node back. There are four in the
time that is allowed, so that a disk which hangs for some seconds at a time, and a tick that waits for it, cost no restart.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

LEAST = 0.05
"""Seconds between pings at least."""

READY_EVERY = 0.2
"""Seconds between looks at whether it is ready."""


class Service:
    """What `Type=notify` and `WatchdogSec=` gave us in the environment; without them it does nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.address = environment.get("NOTIFY_SOCKET", "")
        self.every = _interval(environment)
        """Seconds between two pings, None where nobody waits for any: a quarter of what is allowed."""

    @property
    def there(self) -> bool:
        """Is anybody listening?"""
        return self.address.startswith(("/", "@"))

    def tell(self, *lines: str) -> None:
        """Send these lines, such as READY=1. A manager that is gone is no trouble of ours."""
        if not self.there:
            return
        name = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.setblocking(False)  # noqa: FBT003 - the standard library's
            try:
                to.sendto("\n".join(lines).encode(), name)
            except OSError:
                return

    async def run(self, ready: Callable[[], bool], moving: Callable[[], bool], told: Callable[[], str]) -> None:
        """Say READY once `ready`, then ping while `moving`, with a line of `told` for `systemctl status`, until cancelled."""
        if not self.there:
            return
        while not ready():
            self._ping(moving)
            await asyncio.sleep(min(READY_EVERY, self.every or READY_EVERY))
        self.tell("READY=1", f"STATUS={told()}")
        while self.every is not None:
            self._ping(moving, f"STATUS={told()}")
            await asyncio.sleep(self.every)

    def _ping(self, moving: Callable[[], bool], *lines: str) -> None:
        if self.every is not None and moving():
            self.tell("WATCHDOG=1", *lines)


def _interval(environment: Mapping[str, str]) -> float | None:
    """Seconds between pings.

    >>> _interval({"WATCHDOG_USEC": "20000000"}), _interval({}), _interval({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "0"})
    (5.0, None, None)
    """
    allowed = environment.get("WATCHDOG_USEC", "")
    mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return max(LEAST, int(allowed) / 4e6) if allowed.isdigit() and mine else None
