"""From decisions and lost sight to what people are told. The words are made in `alerts.render`; here is only which and when."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog

from alerts.base import BREAKER, FEES, SIGHT, Fees, Kind, Notice, Notification, Outcome, Receipt, Sight, Withdrawal
from alerts.group import Taken
from alerts.pager import Pager
from alerts.render import fees, notify, sight, withdrawn
from alerts.window import Window
from detectors.base import Finding
from monitor import metrics, spans
from monitor.breaker.desk import Made
from monitor.breaker.flags import Flag, FlagBoard, Shown
from monitor.breaker.holds import State
from monitor.breaker.machine import Retraction
from monitor.breaker.timing import Acknowledged, GivenBack
from monitor.errors import JournalError
from monitor.stream import Queue, Rule
from monitor.windows import Windows

log = structlog.get_logger()
_WAITING = 10_000

FEES_CONFIRMED_WITHIN = 600.0
"""Seconds after a restart in which fees that were off their forecast must be seen so again, or they are not any more."""

Keep = Callable[[Window], Awaitable[None]]
"""Writes a window into the journal. Raises JournalError."""


class CaughtUp(msgspec.Struct, frozen=True):
    """Everything that an earlier life may have left untold is in the queue before this; `sequence` is the journal's head then."""

    sequence: int


class TakenUp(msgspec.Struct, frozen=True):
    """An incident was taken up, or given back. `key` is the one its alerts share."""

    key: str
    news: Acknowledged | GivenBack


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where `docs/runbooks` and Grafana are served, if they are anywhere: alerts then link to their page and dashboard."""

    runbooks: str = ""
    dashboards: str = ""


Item = Made | Retraction | Sight | Fees | TakenUp | CaughtUp


class Notices:
    """Tells people through a pager. `told` may be called from the desk: it only queues.

    After a restart the journal passes through it once more, between `resume` and `resumed`: what was told is only remembered.
    """

    def __init__(
        self, pager: Pager, board: FlagBoard, chain_of: Mapping[str, str], base_url: Callable[[], str], places: Places
    ) -> None:
        self.pager = pager
        self.board = board
        self.chain_of = chain_of
        self.base_url = base_url
        self._queue: Queue[tuple[Item, int]] = Queue(_WAITING, Rule.DROP_OLDEST)
        self._blind: dict[str, float] = {}
        self.sequence: Callable[[], int] = lambda: 0
        """The journal's record that was folded last."""
        self._resuming = False
        self._mark: int | None = None
        self._standing: dict[str, tuple[Made, int]] = {}
        self._unconfirmed: dict[str, float] = {}
        self._known: dict[tuple[str, str], None] = {}
        """(integration, finding) that people were told of: nobody is told that what they never heard of is off."""
        self._congested: dict[str, float] = {}
        self.places = places
        self._windows: tuple[Windows, Keep] | None = None

    def reconcile(self, windows: Windows, keep: Keep) -> None:
        """From now on incidents are told with their danger window; `keep` writes one into the journal."""
        self._windows = windows, keep

    async def resume(self, journal: str, sequence: Callable[[], int]) -> None:
        """This journal follows; `sequence` is its record folded last.

        What was told in an earlier life is not told again; if nobody knows what was, what stands is.
        """
        self.sequence, self._resuming, self._mark = sequence, True, await self.pager.restore(journal)

    def resumed(self) -> None:
        """That was the journal. What the pager knows of blindness and fees goes on."""
        self._resuming = False
        for item in self._standing.values():
            self._queue.offer(item)
        self._standing.clear()
        self._queue.offer((CaughtUp(self.sequence()), 0))
        self._blind = {chain: one.last.since for chain, one in self.pager.opened(SIGHT).items()}
        self._congested = {chain: one.last.since for chain, one in self.pager.opened(FEES).items()}
        self._unconfirmed = dict.fromkeys(self._congested, time.time())

    def told(self, made: Made | Retraction) -> None:
        """A decision is in force, or a finding was retracted."""
        sequence = self.sequence()
        if not self._resuming or (self._mark is not None and sequence > self._mark):
            self._queue.offer((made, sequence))
        elif isinstance(made, Retraction):
            self._known.pop((made.integration, made.finding.id), None)
        elif self._worth_telling(made):
            self._remember(made)
            if self._mark is None:
                self._standing.pop(made.decision.integration, None)
                if made.breaker.state is not State.CLOSED:
                    self._standing[made.decision.integration] = made, sequence

    def fees(self, chain: str, finding: Finding | None) -> None:
        """A chain's fees left their forecast, or (None) are back."""
        now = time.time()
        self._unconfirmed.pop(chain, None)
        since = self._congested.setdefault(chain, now)
        if finding is None:
            del self._congested[chain]
        self._queue.offer((Fees(chain=chain, at=now, since=since, finding=finding), 0))

    def acknowledged(self, news: Acknowledged | GivenBack, key: str = "") -> None:
        """An incident was taken up or given back, and the journal has it; `key` where it is not an integration's."""
        self._queue.offer((TakenUp(key or BREAKER + news.integration, news), 0))

    def look(self, now: float) -> None:
        """Compare what readers see of each chain with what was told, and count what is owed; call it every tick."""
        metrics.OUTBOX_DEPTH.set(self.pager.delivery.depth)
        metrics.OUTBOX_OLDEST.set(self.pager.delivery.oldest)
        blind: dict[str, list[Flag]] = {}
        for flag in self.board.read().values():
            if self.board.blindness(flag.integration):
                blind.setdefault(flag.chain, []).append(flag)
        for chain, flags in blind.items():
            if chain not in self._blind and any(flag.observed_block is not None for flag in flags):
                self._blind[chain] = now
                names = tuple(flag.integration for flag in flags if flag.state is Shown.UNKNOWN)
                why = self.board.blindness(flags[0].integration)
                self._queue.offer((Sight(chain=chain, blind=True, at=now, since=now, reason=why, integrations=names), 0))
        for chain in [chain for chain in self._blind if chain not in blind]:
            since = self._blind.pop(chain)
            self._queue.offer((Sight(chain=chain, blind=False, at=now, since=since, reason="heads are processed again"), 0))
        for chain in [chain for chain, at in self._unconfirmed.items() if now - at > FEES_CONFIRMED_WITHIN]:
            self.fees(chain, None)

    async def run(self) -> None:
        """Tell, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pager.run(), name="alerts")
            tasks.create_task(self._tell(), name="alerts/notices")

    async def _tell(self) -> None:
        while True:
            item, sequence = await self._queue.get()
            if lost := self._queue.take_lost():
                log.error("notices_lost", lost=lost)
                metrics.ALERTS.labels("notices", Outcome.DEAD).inc(lost)
            await self._item(item, sequence)

    async def _item(self, item: Item, sequence: int) -> None:
        if isinstance(item, Sight):
            await self._out(sight(item))
        elif isinstance(item, Fees):
            await self._out(fees(item))
        elif isinstance(item, Retraction):
            await self._take_back(item, sequence)
        elif isinstance(item, TakenUp):
            await self._taken_up(item)
        elif isinstance(item, CaughtUp):
            await self.pager.caught_up(item.sequence)
        elif self._worth_telling(item):
            self._remember(item)
            began, decision = time.time(), item.decision
            await self._out(notify(self._notice(item)), sequence)
            if spans.way is not None:
                spans.way.told([finding.tx for finding in decision.findings], decision.integration, (began, time.time()))
            await self._record(item)

    async def _taken_up(self, item: TakenUp) -> None:
        news = item.news
        window = self._windows[0].of(news.incident) if self._windows is not None else None
        if window is not None and not window.open:
            return  # it is over: what is open under the same key by now is another one
        if isinstance(news, Acknowledged):
            await self.pager.taken_up(item.key, Taken(by=news.by, at=news.at, via=news.via), news.note)
        else:
            await self.pager.given_back(item.key, news.by, news.at, news.note)

    async def _out(self, notification: Notification, sequence: int = 0) -> None:
        """Tell, with the page of the runbook that this alert's name has, and the dashboard to look at."""
        links = dict(notification.links)
        if url := self.base_url():
            links.setdefault("page", f"{url}/")
        if self.places.runbooks:
            links["runbook"] = f"{self.places.runbooks.rstrip('/')}/{notification.labels['alertname']}.md"
        if self.places.dashboards:
            board = "seawall-gas" if notification.kind is Kind.FEES else "seawall-overview"
            links["dashboard"] = f"{self.places.dashboards.rstrip('/')}/d/{board}"
        await self.pager.tell(msgspec.structs.replace(notification, links=links), sequence)

    def _worth_telling(self, made: Made) -> bool:
        """A change of state, evidence that grew, or something a person must see; not a reorg's bookkeeping."""
        decision = made.decision
        return decision.before is not decision.after or bool(decision.findings or decision.page)

    def _remember(self, made: Made) -> None:
        self._known |= {(made.decision.integration, finding.id): None for finding in made.decision.findings}
        while len(self._known) > _WAITING:
            del self._known[next(iter(self._known))]

    async def _take_back(self, news: Retraction, sequence: int) -> None:
        log.info("retracted", integration=news.integration, finding=news.finding.id, reason=news.reason)
        if (news.integration, news.finding.id) not in self._known:
            return
        del self._known[news.integration, news.finding.id]
        url = self.base_url()
        told = Withdrawal(
            integration=news.integration, chain=news.finding.chain, finding=news.finding, at=news.at, reason=news.reason,
            until=news.until, links={"incident": f"{url}/v1/incidents/{news.finding.id}"} if url else {},
        )  # fmt: skip
        await self._out(withdrawn(told), sequence)

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
            links={"incident": f"{url}/v1/incidents/{decision.id}", "page": f"{url}/incidents/{decision.id}"} if url else {},
        )


def counted(receipt: Receipt) -> None:
    """Count an attempt's outcome; a dead letter is worth a line."""
    metrics.ALERTS.labels(receipt.channel, receipt.outcome).inc()
    if receipt.outcome is Outcome.DEAD:
        log.error("alert_dead", **msgspec.to_builtins(receipt))


def kept_back(notification: Notification) -> None:
    """Count what is not told while its chain is out of sight."""
    metrics.ALERTS_KEPT_BACK.labels(notification.labels.get("chain", "")).inc()
    log.info("alert_kept_back", key=notification.key, kind=notification.kind, title=notification.title)
