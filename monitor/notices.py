"""From decisions and lost sight to what people are told. The words are made in `alerts.render`; here is only which and when."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog

from alerts.base import Fees, Notice, Notification, Outcome, Receipt, Sight, Withdrawal
from alerts.pager import Pager
from alerts.render import fees, notify, sight, withdrawn
from alerts.window import Window
from detectors.base import Finding
from monitor import metrics
from monitor.breaker.desk import Made
from monitor.breaker.flags import Flag, FlagBoard, Shown
from monitor.breaker.machine import Retraction
from monitor.errors import JournalError
from monitor.stream import Queue, Rule
from monitor.windows import Windows

log = structlog.get_logger()
_WAITING = 10_000

Keep = Callable[[Window], Awaitable[None]]
"""Writes a window into the journal. Raises JournalError."""


class Notices:
    """Tells people through a pager. `told` may be called from the desk: it only queues."""

    def __init__(self, pager: Pager, board: FlagBoard, chain_of: Mapping[str, str], base_url: Callable[[], str]) -> None:
        self.pager = pager
        self.board = board
        self.chain_of = chain_of
        self.base_url = base_url
        self._queue: Queue[Made | Retraction | Sight | Fees] = Queue(_WAITING, Rule.DROP_OLDEST)
        self._blind: dict[str, float] = {}
        self._known: dict[tuple[str, str], None] = {}
        """(integration, finding) that people were told of: nobody is told that what they never heard of is off."""
        self._congested: dict[str, float] = {}
        self.runbooks = ""
        """Where the runbook's pages are (`docs/runbooks`), if they are anywhere."""
        self._windows: tuple[Windows, Keep] | None = None

    def reconcile(self, windows: Windows, keep: Keep) -> None:
        """From now on incidents are told with their danger window; `keep` writes one into the journal."""
        self._windows = windows, keep

    def told(self, made: Made | Retraction) -> None:
        """A decision is in force, or a finding was retracted."""
        self._queue.offer(made)

    def fees(self, chain: str, finding: Finding | None) -> None:
        """A chain's fees left their forecast, or (None) are back."""
        now = time.time()
        since = self._congested.setdefault(chain, now)
        if finding is None:
            del self._congested[chain]
        self._queue.offer(Fees(chain=chain, at=now, since=since, finding=finding))

    def look(self, now: float) -> None:
        """Compare what readers see of each chain with what was told; call it every tick."""
        blind: dict[str, list[Flag]] = {}
        for flag in self.board.read().values():
            if flag.state is Shown.UNKNOWN and flag.observed_block is not None:
                blind.setdefault(flag.chain, []).append(flag)
        for chain, flags in blind.items():
            if chain not in self._blind:
                self._blind[chain] = now
                names = tuple(flag.integration for flag in flags)
                self._queue.offer(Sight(chain=chain, blind=True, at=now, since=now, reason=flags[0].reason, integrations=names))
        for chain in [chain for chain in self._blind if chain not in blind]:
            since = self._blind.pop(chain)
            self._queue.offer(Sight(chain=chain, blind=False, at=now, since=since, reason="heads are processed again"))

    async def run(self) -> None:
        """Tell, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pager.run(), name="alerts")
            tasks.create_task(self._tell(), name="alerts/notices")

    async def _tell(self) -> None:
        while True:
            item = await self._queue.get()
            if isinstance(item, Sight):
                await self._out(sight(item))
            elif isinstance(item, Fees):
                await self._out(fees(item))
            elif isinstance(item, Retraction):
                await self._take_back(item)
            elif self._worth_telling(item):
                self._remember(item)
                await self._out(notify(self._notice(item)))
                await self._record(item)
            metrics.OUTBOX_DEPTH.set(self.pager.delivery.depth)
            metrics.OUTBOX_OLDEST.set(self.pager.delivery.oldest)

    async def _out(self, notification: Notification) -> None:
        """Tell, with the page of the runbook that this alert's name has."""
        if self.runbooks:
            page = f"{self.runbooks.rstrip('/')}/{notification.labels['alertname']}.md"
            notification = msgspec.structs.replace(notification, links=notification.links | {"runbook": page})
        await self.pager.tell(notification)

    def _worth_telling(self, made: Made) -> bool:
        """A change of state, evidence that grew, or something a person must see; not a reorg's bookkeeping."""
        decision = made.decision
        return decision.before is not decision.after or bool(decision.findings or decision.page)

    def _remember(self, made: Made) -> None:
        self._known |= {(made.decision.integration, finding.id): None for finding in made.decision.findings}
        while len(self._known) > _WAITING:
            del self._known[next(iter(self._known))]

    async def _take_back(self, news: Retraction) -> None:
        log.info("retracted", integration=news.integration, finding=news.finding.id, reason=news.reason)
        if (news.integration, news.finding.id) not in self._known:
            return
        del self._known[news.integration, news.finding.id]
        url = self.base_url()
        told = Withdrawal(
            integration=news.integration, chain=news.finding.chain, finding=news.finding, at=news.at, reason=news.reason,
            until=news.until, links={"incident": f"{url}/v1/incidents/{news.finding.id}"} if url else {},
        )  # fmt: skip
        await self._out(withdrawn(told))

    async def _record(self, made: Made) -> None:
        """Have the window outlive this process, when an incident begins and when it ends."""
        if self._windows is None:
            return
        windows, keep = self._windows
        window = windows.due(made)
        if window is None:
            return
        try:
            await keep(window)
        except JournalError as error:
            log.warning("window_not_recorded", incident=window.incident, error=str(error))
        else:
            windows.remember(window)

    def _notice(self, made: Made) -> Notice:
        decision = made.decision
        url = self.base_url()
        window = self._windows[0].of(decision.id) if self._windows is not None else None
        return Notice(
            integration=decision.integration,
            chain=self.chain_of.get(decision.integration, ""),
            before=decision.before,
            after=decision.after,
            at=decision.at,
            reason=decision.reason,
            by=decision.by,
            revision=made.revision,
            findings=decision.findings,
            shadow=decision.shadow,
            page=decision.page,
            throttled=made.breaker.standing != [] and not made.breaker.paused,
            window=window.told(f"{url}/v1/incidents/{decision.id}/window" if url else "") if window is not None else None,
            links={"incident": f"{url}/v1/incidents/{decision.id}", "page": f"{url}/"} if url else {},
        )


def counted(receipt: Receipt) -> None:
    """Count an attempt's outcome; a dead letter is worth a line."""
    metrics.ALERTS.labels(receipt.channel, receipt.outcome).inc()
    if receipt.outcome is Outcome.DEAD:
        log.error("alert_dead", **msgspec.to_builtins(receipt))
