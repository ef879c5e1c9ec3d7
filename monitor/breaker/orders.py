"""People's orders: a pause is shown whatever else is broken; a resume needs the journal, and the state its giver has seen."""

import time

from monitor.breaker.desk import Desk
from monitor.breaker.holds import Decision
from monitor.breaker.machine import Breaker, Noted
from monitor.breaker.policy import pause, resume
from monitor.errors import JournalError, SeawallError

Proposal = tuple[list[Decision], list[Noted]]


class NoSuchIntegrationError(SeawallError):
    """The configuration names no such integration."""


class StaleRevisionError(SeawallError):
    """The caller acted on an older state than the present one."""


class Orders:
    """What operators may order, carried out at the desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def pause(self, integration: str, who: str, reason: str, ttl: float | None) -> bool:
        """Place a person's hold; `ttl` is its review deadline, seconds. False: it is shown, but the journal has not taken it."""
        self._known(integration)
        now = time.time()
        try:
            await self.desk.decide(lambda: ([pause(self._breaker(integration), who, reason, now, ttl)], []))
        except JournalError:
            return False
        return True

    async def resume(self, integration: str, who: str, reason: str, revision: int | None) -> None:
        """Release every hold.

        Raises StaleRevisionError when `revision` is given and not the present one, JournalError when it could not be recorded.
        """
        self._known(integration)
        now = time.time()

        def propose() -> Proposal:
            breaker = self._breaker(integration)
            if revision is not None and revision != breaker.revision:
                raise StaleRevisionError(
                    f"resume {integration}: you saw revision {revision}, it is now at {breaker.revision}; look again"
                )
            decision = resume(breaker, who, reason, now)
            return ([decision] if decision else []), []

        if any(decision.integration == integration for decision in self.desk.owed):
            raise JournalError(f"a pause of {integration} is not recorded yet: {self.desk.trouble}")
        await self.desk.decide(propose)

    def _known(self, integration: str) -> None:
        if integration not in self.desk.board.specs:
            raise NoSuchIntegrationError(f"unknown integration {integration!r}; known: {', '.join(self.desk.board.specs)}")

    def _breaker(self, integration: str) -> Breaker:
        return self.desk.fold.breaker(integration)
