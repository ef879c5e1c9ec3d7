"""The seam of telling people: what is told, what came of it, and what every channel can do."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import ClassVar

import msgspec

from alerts.window import Window
from detectors.base import Finding, Severity

RANK: dict[Severity, int] = {severity: rank for rank, severity in enumerate(Severity)}
"""Severities as numbers, info 0 to critical 2."""


BREAKER, SIGHT, FEES = "breaker/", "sight/", "fees/"
"""How the keys of alerts begin: about an integration, about a chain's sight, about its fees; an id follows."""


class Kind(StrEnum):
    """What happened, in the words of our webhooks."""

    OPENED = "breaker.opened"
    HALF_OPENED = "breaker.half_opened"
    CLOSED = "breaker.closed"
    FORCED = "breaker.forced"
    RETRACTED = "finding.retracted"
    WOULD_OPEN = "breaker.would_open"
    BLIND = "chain.blind"
    RECOVERED = "chain.recovered"
    FEES = "gas.spike"
    TAKEN_UP = "incident.acknowledged"
    GIVEN_BACK = "incident.unacknowledged"
    STORM = "storm"
    TEST = "test"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker's decision as alerts see it. States in the breaker's words: closed, open, half_open, forced_open, forced_closed.

    `by` is `policy:…`, `human:…` or `service:…`; `shadow` means the flag was left alone, `throttled` that it says `run` with less
    traffic; `page` is why a person must look now. `links` maps a name (incident, runbook, dashboard) to a URL. `at`: unix s.
    """

    integration: str
    chain: str
    before: str
    after: str
    at: float
    reason: str
    by: str
    revision: int
    findings: tuple[Finding, ...] = ()
    shadow: bool = False
    page: str = ""
    throttled: bool = False
    window: Window | None = None
    links: dict[str, str] = {}


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """A chain whose fees left their own forecast (`finding`), or found back to it (None). Advice: no flag has changed."""

    chain: str
    at: float
    since: float
    finding: Finding | None = None
    links: dict[str, str] = {}


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that people were told of and that a reorganisation took back.

    `until` is when the hold made of it has counted down (unix seconds), None without one.
    """

    integration: str
    chain: str
    finding: Finding
    at: float
    reason: str
    until: float | None = None
    links: dict[str, str] = {}


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """A chain we lost sight of (`blind`) or see again, and the integrations whose flags read `unknown` for it. Unix seconds."""

    chain: str
    blind: bool
    at: float
    since: float
    reason: str
    integrations: tuple[str, ...] = ()
    links: dict[str, str] = {}


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell. `id` is constant over every retry; `key` is shared by all that is told of one incident.

    `labels` hold stable things only (they are an alert's identity; `alertname` and `severity` always among them); numbers and
    hashes live in `facts` and `findings`. `since` is when the incident began, `incident` the id of its first notification,
    `earlier` the labels it was told under before it grew worse.
    """

    id: str
    key: str
    kind: Kind
    severity: Severity
    title: str
    body: str
    at: float
    since: float
    labels: dict[str, str] = {}
    links: dict[str, str] = {}
    findings: tuple[Finding, ...] = ()
    facts: dict[str, str | int | float | bool] = {}
    resolved: bool = False
    incident: str = ""
    earlier: tuple[dict[str, str], ...] = ()
    window: Window | None = None
    """What to reconcile, bounded; the whole is behind its url."""


class Outcome(StrEnum):
    """What came of one attempt: delivered, to be tried again, or given up (kept as a dead letter)."""

    OK = "ok"
    RETRY = "retry"
    DEAD = "dead"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt's outcome. `channel` is the receiver's configured name, `attempt` counts from 1 (0: none was made)."""

    notification: str
    key: str
    channel: str
    attempt: int
    outcome: Outcome
    at: float
    detail: str = ""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver says of the incident it knows as `key`: `by` has taken it up, or (not `taken_up`) nobody has it any more.

    `at`: unix seconds, by the receiver's clock. `note` is for people. Where it says no key (empty), it says the `title` it shows.
    """

    key: str
    taken_up: bool
    by: str
    at: float
    note: str = ""
    title: str = ""


class ForgedError(Exception):
    """What was posted to us cannot be the receiver's: not signed, or not with a key that we share with it."""


class UnreadableError(Exception):
    """What was posted to us is the receiver's, and nothing that we can read."""


class DeliveryFailed(Exception):
    """A channel could not deliver. The text names the receiver's host, never its whole address: that may be a secret.

    `permanent`: trying the same again cannot help. `gone`: nothing will ever be accepted there again (HTTP 410).
    `retry_after`: seconds the receiver asked us to wait, if it did.
    """

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None, gone: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent or gone
        self.retry_after = retry_after
        self.gone = gone


class Channel(ABC):
    """A way to reach people. Constructor arguments (keyword only) are its configuration; no I/O before the first `send`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    refresh_every: float | None = None
    """Seconds after which the receiver forgets what is not repeated; None where it remembers."""
    ask_every: float | None = None
    """Seconds between two questions about what became of our alerts there; None where nothing is to be learnt by asking."""
    listens: bool = False
    """Does it read what its receiver posts to us?"""

    @abstractmethod
    async def send(self, notification: Notification) -> str | None:
        """Deliver once; a remark for the receipt comes back. Raises DeliveryFailed; the caller sets the deadline and retries."""

    async def refresh(self, active: Iterable[Notification]) -> None:  # noqa: B027 — most receivers remember
        """Repeat what is still true to a receiver that forgets. Raises DeliveryFailed."""

    async def asked(self, active: Iterable[Notification]) -> tuple[Reply, ...]:  # noqa: ARG002 — most are not asked
        """What became of these alerts there, as far as it knows. Raises DeliveryFailed."""
        return ()

    def heard(self, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """What the receiver posted to us; None when it is nothing about a taking up.

        Raises ForgedError unless it is provably the receiver's, UnreadableError when it cannot be read. Header names in any case.
        """
        raise ForgedError(f"{self.name}: takes no post of its receiver ({len(headers)} headers, {len(body)} bytes)")

    def recall(self, remarks: Mapping[str, str]) -> None:  # noqa: B027 — most receivers need nothing of it
        """What `send` came back with in an earlier life, by incident: where there is a message that can still be edited."""

    async def close(self) -> None:  # noqa: B027 — most channels hold nothing
        """Let go of connections; the channel may be used again afterwards."""


def notification_id(*parts: object) -> str:
    """Deterministic, so that a replay or a second submission is recognised as the same notification.

    >>> notification_id("aave", 7) == notification_id("aave", 7) != notification_id("aave", 8)
    True
    """
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:32]
