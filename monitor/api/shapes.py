"""What the routes answer, as types: the OpenAPI document is made of them, and a test holds the answers to them.

Where an answer is one struct it stands beside its handler; these are the objects that answers are put together to.
"""

from typing import Any, NotRequired, TypedDict

from detectors.base import Finding
from detectors.events import Stage
from monitor.api.hot import Value
from monitor.api.operators import Done
from monitor.api.signing import Keys
from monitor.breaker.actuators.base import Readiness
from monitor.breaker.flags import Flag
from monitor.breaker.holds import Hold, Level, State
from monitor.breaker.machine import Retraction
from monitor.breaker.sightings import Sighting
from monitor.breaker.timing import Acknowledged, Timing
from monitor.gas.answers import Advised, Inclusion, Outlook


class Flags(TypedDict):
    """Every flag. Where a key is configured `sig` covers the bytes before `,"key_id"`, closed with a brace."""

    flags: list[Flag]
    epoch: int
    version: str
    key_id: NotRequired[str]
    sig: NotRequired[str]


class View(TypedDict):
    """One view of a flag (`paused`, `state`, `max_share`, `risk`, `level`), with the flag's document."""

    key: str
    value: Value
    flag: Flag


class KeySet(TypedDict):
    """The public keys that documents are signed with; none where nothing is signed."""

    keys: list[Keys]


class FlagdFlag(TypedDict):
    """A flag as flagd has it: what it says now until the lease ends, and what after."""

    state: str
    variants: dict[str, Value]
    defaultVariant: str
    targeting: dict[str, Any]
    metadata: dict[str, Value]


FlagdDocument = TypedDict(
    "FlagdDocument", {"$schema": str, "metadata": dict[str, Value], "flags": dict[str, FlagdFlag]}
)  # fmt: skip
"""flagd's flag document, schema v0."""


class Evaluation(TypedDict):
    """OFREP 0.3: a flag's value, and why."""

    key: str
    value: Value
    reason: str
    variant: str
    metadata: dict[str, Value]


class Endpoint(TypedDict):
    """Where a stream is, on this very server."""

    requestUri: str


class EventStream(TypedDict):
    """OFREP 0.3: a change stream, and after how many seconds of silence a client may leave it."""

    type: str
    endpoint: Endpoint
    inactivityDelaySec: int


class Evaluations(TypedDict):
    """OFREP 0.3: every flag in every view."""

    flags: list[Evaluation]
    metadata: dict[str, Value]
    eventStreams: list[EventStream]


class Context(TypedDict):
    """OFREP 0.3: what a client sends; flags here do not depend on it, and nothing at all is as good."""

    context: NotRequired[dict[str, Any] | None]


class NotEvaluated(TypedDict):
    """OFREP 0.3: an error. `key` where one flag was asked for."""

    key: NotRequired[str]
    errorCode: str
    errorDetails: str
    metadata: dict[str, Value]


class IntegrationView(TypedDict):
    """An integration in full: its flag, what holds it, what was found, what was taken back, whether its on-chain pause works."""

    integration: str
    flag: Flag
    contracts: list[str]
    holds: list[Hold]
    findings: list[Finding]
    orphans: dict[str, int]
    retracted: list[Retraction]
    trips: int
    pause_target: Readiness | None


class Integrations(TypedDict):
    """All of them."""

    integrations: list[IntegrationView]


class Evidence(TypedDict):
    """What the chain makes of a finding by now."""

    stage: Stage
    at: float
    block: int | None
    orphaned: bool
    retracted_at: float | None
    why: str


class Incident(TypedDict):
    """A decision: what changed, why, on which evidence and what became of that, what was seen, and who took it up.

    `level` is what the holds it placed take away; `timing`, of one incident alone, how long each step of the pause took.
    """

    id: str
    integration: str
    before: State
    after: State
    at: float
    reason: str
    by: str
    shadow: bool
    revision: int
    findings: list[Finding]
    evidence: dict[str, Evidence]
    level: Level | None
    page: str
    sightings: dict[str, Sighting]
    acknowledged: Acknowledged | None
    timing: NotRequired[Timing | None]


class Incidents(TypedDict):
    """The newest, newest first."""

    incidents: list[Incident]


class GasChain(TypedDict):
    """A chain whose fees are forecast; `trouble` says what is wrong."""

    name: str
    chain: str
    trouble: str | None
    block: int | None
    next_fee_wei: int | None


class GasChains(TypedDict):
    """All of them."""

    chains: list[GasChain]


class Forecast(Outlook, frozen=True, kw_only=True):
    """A chain's outlook, how old it is (seconds), the advice, and the inclusion that was asked about."""

    age: float
    advice: Advised
    inclusion: Inclusion | None


class Health(TypedDict):
    """`ok` while loop and pipeline move; 503 otherwise."""

    ok: bool
    version: NotRequired[str]
    uptime_seconds: NotRequired[float]
    pipeline: NotRequired[bool]
    journal: NotRequired[str]
    chains: NotRequired[dict[str, dict[str, Any]]]


class Ready(TypedDict):
    """`ok` once every chain was read or found out of reach; 503 otherwise."""

    ok: bool
    waiting_for: NotRequired[list[str]]


class Asked(TypedDict):
    """A request that waits for a second person, until `expires_at` (unix seconds)."""

    approval: str
    integration: str
    action: str
    by: str
    reason: str
    revision: int
    expires_at: float


class Approvals(TypedDict):
    """Those that wait."""

    approvals: list[Asked]


class ManyDone(TypedDict):
    """What an order led to in each integration of its scope."""

    scope: str
    integrations: list[Done]


class AuditRecord(TypedDict):
    """A record as it was sealed; `body` is the JSON that was hashed."""

    sequence: int
    prev_hash: str
    hash: str
    kind: str
    at: float
    by: str
    effect_keys: list[str]
    body: Any


class AuditPage(TypedDict):
    """Where the journal stands, and up to 500 records."""

    epoch: int
    head: int
    records: list[AuditRecord]


class Replied(TypedDict):
    """What became of a receiver's reply."""

    outcome: str
