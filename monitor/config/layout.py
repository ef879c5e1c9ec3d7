"""What a configuration says: the structs of `seawall.yaml`, version 1, with every default.

Durations are floats of seconds, addresses lower case, mappings read-only once loaded. The JSON Schema is made from this file.
"""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from alerts.route import Route, Routing
from monitor.config.kinds import (
    BLOCK_HASH,
    IDENTIFIER,
    NAME,
    Address,
    Chain,
    Digest,
    Instant,
    Listen,
    NodeUrl,
    Question,
    Seconds,
    Secret,
)

Meta = msgspec.Meta
Id = Annotated[str, Meta(pattern=IDENTIFIER)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Positive = Meta(gt=0)


def _listen(host: str, port: int) -> Any:  # noqa: ANN401 - a field's default, whatever the field
    return msgspec.field(default_factory=lambda: Listen(host, port))


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the configuration: unknown keys are refused."""


class PoolKind(StrEnum):
    """How the state of a contract is read."""

    HOLDINGS = "holdings"
    UNISWAP_V2 = "uniswap_v2"
    UNISWAP_V3 = "uniswap_v3"
    CURVE = "curve"
    ERC4626 = "erc4626"
    ACCOUNTS = "accounts"


class Finality(StrEnum):
    """Which of the chain's own words for certainty releases wait for."""

    LATEST = "latest"
    SAFE = "safe"
    FINALIZED = "finalized"


class ChainKind(StrEnum):
    """What sort of chain it is: what its nodes are asked for, and what is not to be had there."""

    ETHEREUM = "ethereum"
    OPTIMISM = "optimism"
    BASE = "base"
    ARBITRUM = "arbitrum"


class Confirmations(Part, frozen=True, kw_only=True):
    """Blocks that must stand on a block before it counts as safe and as final, where nodes have no such tags."""

    safe: Count
    final: Count


class Node(Part, frozen=True, kw_only=True):
    """A node. `ws` is its WebSocket URL; one that carries a key is named as ${VARIABLE} or file:PATH."""

    name: Id
    ws: NodeUrl
    rate: Annotated[Annotated[float, Positive] | None, Meta(description="Calls a second its plan allows; none: no limit.")] = None


class Checkpoint(Part, frozen=True, kw_only=True):
    """A block that every node of the chain must have, from a source you trust."""

    number: Annotated[int, Meta(ge=0)]
    hash: Annotated[str, Meta(pattern=BLOCK_HASH)]


class BlobRules(Part, frozen=True, kw_only=True):
    """Blobs from unix time `start` on: target and most per block, update fraction, and whether EIP-7918's reserve price holds."""

    start: Annotated[int, Meta(ge=0)]
    target: Count
    most: Count
    fraction: Count
    reserve: bool = False


class GasConfig(Part, frozen=True, kw_only=True):
    """Fee forecasts of a chain; advice only."""

    enabled: Annotated[bool, Meta(description="Forecast this chain's fees.")] = True
    kind: Annotated[
        Literal["auto", "ethereum", "op_stack", "arbitrum"],
        Meta(
            description="Who sets the fee: EIP-1559 with the numbers below, an OP Stack header's own, or what Arbitrum owes; "
            "auto goes by the chain's kind and id."
        ),
    ] = "auto"
    elasticity: Annotated[int, Meta(ge=1, le=1000, description="EIP-1559: gas limit over gas target.")] = 2
    denominator: Annotated[int, Meta(ge=2, le=100_000, description="EIP-1559: a fee moves by at most one part in so many.")] = 8
    history: Annotated[
        int, Meta(ge=0, le=16_384, description="Blocks asked of eth_feeHistory at a cold start, 1,024 a call.")
    ] = 4096
    blobs: Annotated[tuple[BlobRules, ...], Meta(description="Blob schedule, oldest first; empty: Ethereum mainnet's.")] = ()


class RerunsConfig(Part, frozen=True, kw_only=True):
    """What looks harmless is run again as a builder would have it, for contracts that behave while they are simulated."""

    enabled: Annotated[bool, Meta(description="Run near transactions with foreign code in them again.")] = True
    rate: Annotated[float, Meta(gt=0, le=100, description="Transactions run again in a second at most, two traces each.")] = 4.0


class ChainConfig(Part, frozen=True, kw_only=True):
    """A chain, and when we count as blind on it."""

    id: Chain
    nodes: Annotated[tuple[Node, ...], Meta(min_length=1)]
    block_time: Annotated[Seconds, Positive, Meta(description="How often a block usually comes.")] = 12.0
    blind_after: Annotated[Seconds, Positive, Meta(description="Without a new verified head for so long, flags say unknown.")] = (
        60.0
    )
    finality: Annotated[Finality, Meta(description="What releases wait for.")] = Finality.SAFE
    confirmations: Annotated[
        Confirmations | None, Meta(description="Where a node knows neither safe nor finalized, so many blocks stand for them.")
    ] = None
    kind: Annotated[
        ChainKind, Meta(description="What sort of chain: a layer 2 has no public mempool, but flashblocks or a feed.")
    ] = ChainKind.ETHEREUM
    sequencer_feed: Annotated[
        NodeUrl | None, Meta(description="Arbitrum: the sequencer's feed; a gap in its numbers is told.")
    ] = None
    quorum: Annotated[Count, Meta(description="Nodes that must agree before anything is released.")] = 1
    verify_headers: Annotated[bool, Meta(description="A block's id must be the hash of its header, once one was.")] = True
    checkpoint: Annotated[Checkpoint | None, Meta(description="A block that every node must have, or it is refused.")] = None
    snapshot_every: Annotated[Count, Meta(description="Blocks between snapshots of detector state.")] = 100
    gas: GasConfig = msgspec.field(default_factory=GasConfig)
    reruns: RerunsConfig = msgspec.field(default_factory=RerunsConfig)

    @property
    def pinned(self) -> tuple[int, str] | None:
        """The checkpoint's height and id."""
        return None if self.checkpoint is None else (self.checkpoint.number, self.checkpoint.hash.lower())


class Contract(Part, frozen=True, kw_only=True):
    """A contract to watch. `assets` are the tokens whose balance counts, beside the chain's own coin."""

    address: Address
    kind: PoolKind = PoolKind.HOLDINGS
    role: Annotated[str, Meta(max_length=64)] = "pool"
    assets: tuple[Address, ...] = ()
    asks: Annotated[
        Mapping[Annotated[str, Meta(pattern=NAME)], Question],
        Meta(description="Kind accounts: numbers it is asked for each block, by a name that invariants use."),
    ] = {}


class PauseTarget(Part, frozen=True, kw_only=True):
    """The pause on the chain itself, whose readiness is checked at every block; nothing is ever sent."""

    contract: Address
    function: Annotated[Question, Meta(description="pause(), or call data.")] = "0x8456cb59"
    sender: Address
    kind: Annotated[Literal["eoa", "safe"], Meta(description="Who calls: an account that pays itself, or a Safe.")] = "eoa"
    executor: Annotated[Address | None, Meta(description="Who pays for a Safe's transaction; else any of its owners may.")] = None
    expires_at: Annotated[Instant | None, Meta(description="When the sender's right to pause ends.")] = None


class Integration(Part, frozen=True, kw_only=True):
    """Something payment services use and may have to stop using: the unit that is paused."""

    chain: Id
    contracts: Annotated[tuple[Contract, ...], Meta(min_length=1)]
    policy: Id = "default"
    mode: Annotated[Literal["shadow", "enforce"], Meta(description="shadow decides and reports; enforce turns the flag.")] = (
        "shadow"
    )
    on_blind: Annotated[Literal["pause", "keep", "clear"], Meta(description="The boolean flag while we are blind.")] = "pause"
    critical: Annotated[bool, Meta(description="Resuming or bypassing it takes two principals.")] = False
    tags: tuple[Id, ...] = ()
    pause_target: PauseTarget | None = None
    detectors: Annotated[
        Mapping[Id, Literal["shadow", "enforce"]],
        Meta(description="Detectors by name: shadow notes what would have paused; enforce counts in a shadow integration too."),
    ] = {}

    @property
    def enforced(self) -> bool:
        """May its flag be turned: by every detector that is not shadowed, or by those that are enforced?"""
        return self.mode == "enforce" or "enforce" in self.detectors.values()

    def shadowed(self, known: Iterable[str]) -> frozenset[str]:
        """Those of the detectors `known` by name whose findings pause nothing here though the integration is `enforced`."""
        if not self.enforced:
            return frozenset()
        return frozenset(name for name in known if self.detectors.get(name, self.mode) == "shadow")


class PartyFile(Part, frozen=True, kw_only=True):
    """A sanctions list: a CSV or JSON-lines file, relative to this configuration, read again whenever it changes."""

    name: Id
    file: Annotated[str, Meta(min_length=1)]


class Sanctions(Part, frozen=True, kw_only=True):
    """Who must not be dealt with."""

    lists: tuple[PartyFile, ...] = ()


class PriceSource(Part, frozen=True, kw_only=True):
    """A token's price in `quote`, from the reserves of a Uniswap V2 pair at the parent block."""

    token: Address
    pool: Address
    quote: Address


class Policy(Part, frozen=True, kw_only=True):
    """When to pause, and for how long: the breaker's rules by the same names. Confidences and shares are 0..1."""

    warn_at: Share = 0.5
    pause_at: Share = 0.8
    close_at: Share = 0.4
    throttle_at: Annotated[Share | None, Meta(description="From here on traffic is capped at throttle_share.")] = None
    exits_only_at: Annotated[Share | None, Meta(description="From here on only the way out is open.")] = None
    throttle_share: Share = 0.1
    quorum: Annotated[Count, Meta(description="Detectors that must agree before statistics trip.")] = 2
    min_evidence: Annotated[Count, Meta(description="Statistical findings that must agree before they trip.")] = 2
    evidence_window: Annotated[Seconds, Positive, Meta(description="How long a statistical finding counts.")] = 600.0
    min_open: Annotated[Seconds, Positive] = 600.0
    max_open: Annotated[Seconds, Positive] = 86400.0
    max_trips: Annotated[Count, Meta(description="Trips within an hour after which only a person resumes.")] = 6
    pending_budget: Annotated[Seconds, Meta(description="How long pending evidence alone may pause in an hour.")] = 600.0
    sender_budget: Annotated[Seconds, Meta(description="The same for one sender and the accounts it was seen to fund.")] = 300.0
    pending_hold_blocks: Annotated[int, Meta(ge=2, le=100)] = 2
    reverted_hold: Annotated[Seconds, Positive, Meta(description="How long a hold lasts whose block was replaced.")] = 600.0
    half_open: Annotated[tuple[Annotated[float, Meta(gt=0, le=1)], ...], Meta(min_length=1, max_length=20)] = (0.01, 0.1, 1.0)
    half_open_step: Annotated[Seconds, Positive] = 300.0
    max_paused_share: Annotated[Share, Meta(description="Beyond this share of integrations, page instead of pausing.")] = 0.5


class Receiver(msgspec.Struct, frozen=True, kw_only=True):  # its further keys are its channel's
    """Someone to tell: a channel, and the arguments its constructor takes; strings that are references are secrets."""

    channel: Id
    options: Mapping[str, Any] = {}

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, secrets revealed. Never log them."""
        return {name: _revealed(value) for name, value in self.options.items()}


def _revealed(value: Any) -> Any:  # noqa: ANN401 - any option
    if isinstance(value, tuple):
        return tuple(map(_revealed, value))
    return value.reveal() if isinstance(value, Secret) else value


class Alerts(Part, frozen=True, kw_only=True):
    """Who is told what."""

    routes: tuple[Route, ...] = ()
    otherwise: tuple[str, ...] | None = None
    runbooks: Annotated[str, Meta(description="Where docs/runbooks is served: alerts then link to their page.")] = ""
    dashboards: Annotated[str, Meta(description="Where Grafana is: alerts then link to their dashboard.")] = ""
    repeat: Annotated[Seconds | None, Meta(description="A critical alert nobody takes up is told again after so long.")] = None
    calm: Annotated[Count, Meta(description="Alerts told one by one within a minute; a storm beyond is told together.")] = 10
    receivers: Mapping[Id, Receiver] = {}

    @property
    def routing(self) -> Routing:
        """The routes as alerts take them."""
        return Routing(routes=self.routes, otherwise=self.otherwise)


class TokenConfig(Part, frozen=True, kw_only=True):
    """A bearer token of the admin listener: its secret, or better the digest that `seawall token create` prints."""

    name: Id
    secret: Secret | None = None
    digest: Annotated[Digest | None, Meta(description="SHA-256 of the token; then the daemon never holds the token itself.")] = (
        None
    )
    scopes: tuple[Literal["pause", "resume", "audit", "reload"], ...]
    expires: Annotated[Instant | None, Meta(description="From then on it opens nothing.")] = None
    automated: Annotated[bool, Meta(description="A service holds it: it releases only what it ordered itself.")] = False

    @property
    def sha256(self) -> str:
        """Its digest in hex, whichever was written; empty without either."""
        if self.digest is not None:
            return self.digest.removeprefix("sha256:")
        return "" if self.secret is None else hashlib.sha256(self.secret.reveal().encode()).hexdigest()


class Api(Part, frozen=True, kw_only=True):
    """Where flags are read and orders are taken."""

    read: Listen = _listen("127.0.0.1", 8080)
    admin: Listen = _listen("127.0.0.1", 8081)
    tokens: tuple[TokenConfig, ...] = ()
    lease: Annotated[Seconds, Positive] = 30.0
    valid_for: Annotated[Seconds, Positive] = 10.0
    signing_key: Annotated[Secret | None, Meta(description="Ed25519 seed, 32 bytes in hex: every flag answer is signed.")] = None


class JournalConfig(Part, frozen=True, kw_only=True):
    """Where the journal is kept."""

    path: Annotated[str, Meta(min_length=1)] = "/var/lib/seawall/journal.db"


class CanaryConfig(Part, frozen=True, kw_only=True):
    """Proof of life: a synthetic attack through the whole way to an internal flag, on every chain."""

    enabled: bool = True
    every: Annotated[Seconds, Positive, Meta(description="How often one is sent.")] = 60.0
    failures: Annotated[Count, Meta(description="Lost on end before flags may be doubted.")] = 3


class Sentry(Part, frozen=True, kw_only=True):
    """Where errors of Seawall itself are reported."""

    dsn: Secret
    environment: str = "production"
    monitor: Annotated[Id | None, Meta(description="A cron monitor there: Seawall makes it and checks in every minute.")] = None


class Tracing(Part, frozen=True, kw_only=True):
    """Spans over OTLP, with the extra seawall[otel]: of every transaction that led to a decision, and a share of the others."""

    endpoint: Annotated[str | None, Meta(description="http(s)://HOST:4318/v1/traces; none: the OTEL_… variables say.")] = None
    share: Share = 0.01


class Log(Part, frozen=True, kw_only=True):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class File(Part, frozen=True, kw_only=True):
    """Seawall's configuration."""

    version: Literal[1]
    chains: Annotated[Mapping[Id, ChainConfig], Meta(min_length=1)]
    integrations: Mapping[Id, Integration] = {}
    trusted: Mapping[Id, tuple[Address, ...]] = {}
    prices: Mapping[Id, tuple[PriceSource, ...]] = {}
    policies: Mapping[Id, Policy] = {}
    detectors: Mapping[Id, Mapping[str, Any]] = {}
    sanctions: Sanctions = msgspec.field(default_factory=Sanctions)
    alerts: Alerts = msgspec.field(default_factory=Alerts)
    api: Api = msgspec.field(default_factory=Api)
    journal: JournalConfig = msgspec.field(default_factory=JournalConfig)
    canary: CanaryConfig = msgspec.field(default_factory=CanaryConfig)
    sentry: Sentry | None = None
    tracing: Tracing | None = None
    log: Log = msgspec.field(default_factory=Log)


class Config(File, frozen=True, kw_only=True):
    """A configuration that passed every check. `hash` names what was written, secrets not included."""

    source: str
    hash: str

    def policy_of(self, integration: str) -> Policy:
        """The policy an integration follows."""
        return self.policies[self.integrations[integration].policy]
