"""Funders: whose money a sender's account runs on, so that one who splits it over many accounts has one budget. Pure.

An account that had never sent anything was funded by whoever signed the first payment to it that we saw; that one may have been
funded likewise. What was before we looked is not known, nor what an exchange mixes: the budget of all pending fears bounds both.
"""

from detectors._math.undo import Map, Undo
from detectors.events import Block, Committed, Event, Reverted
from detectors.execution import Execution
from monitor.breaker.holds import UNMINED

REMEMBERED = 100_000
"""Accounts remembered; beyond, the oldest is forgotten."""

FURTHEST = 4
"""Steps from an account to who answers for it: an attacker pays for each, and honest money has passed through everybody."""


class Funders:
    """One chain's, from its mined transactions; a block that is taken back leaves no trace."""

    def __init__(self) -> None:
        self._log = Undo()
        self._of: Map[str, str] = self._log.map()
        """Account -> who funded it; itself when it sent something first."""

    def observe(self, event: Event) -> None:
        """Learn from an event of the chain."""
        if isinstance(event, Execution):
            if event.stage not in UNMINED and event.sender is not None:
                self._mined(event, event.sender)
        elif isinstance(event, Block):
            self._log.open(event.position.height)
        elif isinstance(event, Reverted):
            self._log.revert(event.first.height)
        elif isinstance(event, Committed):
            self._log.forget(event.finalized)

    def root(self, account: str) -> str:
        """Who answers for what this account sends: itself, where nothing else is known."""
        for _ in range(FURTHEST):
            if (payer := self._of.get(account, account)) == account:
                break
            account = payer
        return account

    def _mined(self, event: Execution, signer: str) -> None:
        self._keep(signer, signer)
        for frame in event.frames:
            if frame.value and frame.alive and frame.to is not None:
                self._keep(frame.to, signer)

    def _keep(self, account: str, payer: str) -> None:
        if account not in self._of:
            self._of[account] = payer
            if len(self._of) > REMEMBERED:
                del self._of[next(iter(self._of))]
