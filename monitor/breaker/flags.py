"""What readers are told: three-valued, leased flags. A pause shows at once; blindness shows as unknown, never as run."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

import msgspec

from detectors.events import Position
from monitor.breaker.depths import Odds
from monitor.breaker.holds import Level, State, internal
from monitor.breaker.machine import Breaker


class Shown(StrEnum):
    """The three answers."""

    RUN = "run"
    PAUSE = "pause"
    UNKNOWN = "unknown"


class OnBlind(StrEnum):
    """What the boolean view says while we are blind: the safe side, the last decided value, or the trusting side."""

    PAUSE = "pause"
    KEEP = "keep"
    CLEAR = "clear"


class Observed(msgspec.Struct, frozen=True):
    """The newest verified head behind an answer; `time` is the block's own clock, seconds."""

    number: int
    hash: str
    time: float


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One integration's answer. `paused`, `max_share` and `risk` are its other views; `valid_for` is in seconds.

    `level` is how much is taken away (`none`, `throttle`, `exits_only`, `pause`). `pending`: a pause shown before the journal
    took it; `revision` is then the previous one.
    """

    integration: str
    state: Shown
    paused: bool
    reason: str
    breaker: State
    mode: str
    since: float
    revision: int
    epoch: int
    max_share: float
    risk: float
    level: str = "none"
    cause: str = ""
    chain: str = ""
    observed_block: Observed | None = None
    reorg: Odds | None = None
    """How likely the block behind the answer is to be taken back: the newest with a finding that holds, else the observed one."""
    issued_at: float = 0.0
    valid_for: float = 10.0
    pending: bool = False

    @property
    def content(self) -> str:
        """All that makes it another answer: no times, no heads."""
        told = (
            self.state,
            self.paused,
            self.breaker,
            self.max_share,
            self.risk,
            self.level,
            self.revision,
            self.pending,
            self.epoch,
        )
        return "\0".join(map(str, (self.integration, *told)))


def fingerprint(content: str) -> str:
    """A short name of a content, for ETags and versions."""
    return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """How an integration's flag behaves: which chain it depends on, how old its head may be (seconds), and the blind side."""

    integration: str
    chain: str
    blind_after: float
    on_blind: OnBlind = OnBlind.PAUSE
    risk_for: float = 600.0


class Sight(msgspec.Struct):
    """What we last saw of a chain. `seen_at` is monotonic, so that a jump of the wall clock neither blinds nor blesses."""

    observed: Observed | None = None
    seen_at: float = float("-inf")
    why: str = "no head seen yet"


class FlagBoard:
    """All flags, read synchronously by every door. `version` changes with what readers would see, never with a head or a time."""

    PIPELINE_BOUND = 10.0
    REFRESH = 0.1

    def __init__(self, specs: Iterable[Spec], epoch: int, *, valid_for: float = 10.0) -> None:
        known = {spec.integration: spec for spec in specs}
        self.specs = {name: spec for name, spec in known.items() if not internal(name)}
        self._inner = {name: spec for name, spec in known.items() if internal(name)}
        self.epoch = epoch
        self.valid_for = valid_for
        self.version = ""
        self.beat_at = float("-inf")
        self._breakers: dict[str, Breaker] = {name: Breaker(integration=name) for name in known}
        self._sights: dict[str, Sight] = {spec.chain: Sight() for spec in known.values()}
        self._emergency: dict[str, tuple[str, float]] = {}
        self._blind_since: dict[str, float] = {}
        self._hidden: dict[str, dict[str, str]] = {}
        self._doubts: dict[str, str] = {}
        self._odds: dict[str, Callable[[int], Odds]] = {}
        self._flags: dict[str, Flag] = {}
        self._marks: dict[str, str] = {}
        self._evaluated_at = float("-inf")
        self._watchers: set[asyncio.Event] = set()
        self._evaluate(self.specs)

    def publish(self, breaker: Breaker, *, owed: bool = False) -> None:
        """Show what the journal says of one integration. Supersedes an emergency pause, unless the journal is still owed it."""
        if breaker.integration in self._breakers:
            self._breakers[breaker.integration] = breaker
            if not owed:
                self._emergency.pop(breaker.integration, None)
            self._evaluate(self.specs.keys() & {breaker.integration})

    def pause_now(self, integration: str, reason: str) -> None:
        """Show a pause before the journal has it (never a release). It stays until `publish`."""
        if integration in self._breakers:
            self._emergency.setdefault(integration, (reason, time.time()))
            self._evaluate(self.specs.keys() & {integration})

    def saw_head(self, chain: str, position: Position, timestamp: float) -> None:
        """A verified head was processed just now."""
        self._sights[chain] = Sight(Observed(position.height, position.id, timestamp), time.monotonic(), "")
        self._evaluate(self.specs)

    def lost_sight(self, chain: str, why: str) -> None:
        """Remember why we see nothing of a chain: it becomes the reason once the flags turn unknown."""
        self._sights.setdefault(chain, Sight()).why = why

    def blind_now(self, chain: str, why: str) -> None:
        """Stop trusting the last head at once (wrong chain, finality broken): unknown until the next verified head."""
        sight = self._sights.setdefault(chain, Sight())
        sight.seen_at, sight.why = float("-inf"), why
        self._evaluate(self.specs)

    def hide(self, chain: str, why: Mapping[str, str]) -> bool:
        """Integrations of this chain that cannot be seen, with the reason; all others can. Is that news?"""
        if self._hidden.get(chain, {}) == why:
            return False
        self._hidden[chain] = dict(why)
        self._evaluate(self.specs)
        return True

    def doubt(self, chain: str, why: str) -> bool:
        """Nothing of this chain can be vouched for, whatever its heads say; an empty reason ends it. Is that news?"""
        if self._doubts.get(chain, "") == why:
            return False
        self._doubts[chain] = why
        self._evaluate(self.specs)
        return True

    def blindness(self, integration: str) -> str:
        """Why what this integration stands on cannot be seen now, whatever its flag says; empty when it can."""
        spec = self.specs.get(integration)
        return "" if spec is None else self._blind(spec, time.monotonic(), time.time())

    def internal(self, integration: str) -> Flag:
        """The flag of one that is ours alone, evaluated now; no other door has it."""
        return self._flag(self._inner[integration], time.monotonic(), time.time())

    def weigh(self, chain: str, odds: Callable[[int], Odds]) -> None:
        """From now on this says how likely a block of the chain is to be taken back, by its depth."""
        self._odds[chain] = odds

    def beat(self) -> None:
        """The pipeline is alive; without a beat for PIPELINE_BOUND seconds every answer is unknown."""
        now = time.monotonic()
        revived = now - self.beat_at > self.PIPELINE_BOUND
        self.beat_at = now
        if revived:
            self._evaluate(self.specs)

    def read(self) -> Mapping[str, Flag]:
        """Every flag, evaluated at most REFRESH seconds ago, by integration."""
        if time.monotonic() - self._evaluated_at > self.REFRESH:
            self._evaluate(self.specs)
        return self._flags

    def subscribe(self) -> asyncio.Event:
        """An event that is set on every change of `version`; the subscriber clears it, and ends with `unsubscribe`."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        return changed

    def unsubscribe(self, changed: asyncio.Event) -> None:
        """Forget a subscriber."""
        self._watchers.discard(changed)

    def _evaluate(self, integrations: Iterable[str]) -> None:
        """Evaluate these flags now; wake the watchers if a reader would see a difference."""
        now, wall = time.monotonic(), time.time()
        if integrations is self.specs:
            self._evaluated_at = now
        for name in integrations:
            flag = self._flags[name] = self._flag(self.specs[name], now, wall)
            self._marks[name] = flag.content
        version = fingerprint("\1".join(self._marks.values()))
        if version != self.version:
            self.version = version
            for changed in self._watchers:
                changed.set()

    def _blind(self, spec: Spec, now: float, wall: float) -> str:
        """Why this integration's chain cannot be vouched for, or an empty text."""
        if now - self.beat_at > self.PIPELINE_BOUND:
            return "the pipeline is not running"
        sight = self._sights[spec.chain]
        if now - sight.seen_at > spec.blind_after:
            return sight.why or f"no new head within {spec.blind_after:g} s"
        if sight.observed is not None and wall - sight.observed.time > spec.blind_after:
            return f"catching up: the newest processed head is {wall - sight.observed.time:.0f} s old"
        return self._hidden.get(spec.chain, {}).get(spec.integration, "") or self._doubts.get(spec.chain, "")

    def _reorg(self, chain: str, breaker: Breaker, observed: Observed | None) -> Odds | None:
        odds = self._odds.get(chain)
        if odds is None or observed is None:
            return None
        newest = max((hold.position.height for hold in breaker.automatic if hold.position is not None), default=observed.number)
        return odds(max(0, observed.number - newest))

    def _flag(self, spec: Spec, now: float, wall: float) -> Flag:
        breaker, sight = self._breakers[spec.integration], self._sights[spec.chain]
        emergency = self._emergency.get(spec.integration)
        blind = self._blind(spec, now, wall)
        level = "none" if breaker.level is None else str(breaker.level)
        if breaker.paused or emergency is not None:
            state, paused, share = Shown.PAUSE, True, breaker.allowed if breaker.paused else 0.0
            reason, since = (breaker.reason, breaker.since) if emergency is None or breaker.paused else emergency
            level = level if breaker.paused else str(Level.PAUSE)
        elif blind:
            since = self._blind_since.setdefault(spec.integration, wall)
            state, paused, reason = Shown.UNKNOWN, spec.on_blind is OnBlind.PAUSE, blind
            share = 0.0 if paused else breaker.allowed
            level = str(Level.PAUSE) if paused else level
        else:
            state, paused, share, reason, since = Shown.RUN, False, breaker.allowed, breaker.reason, breaker.since
        if not blind:
            self._blind_since.pop(spec.integration, None)
        recent = [finding for finding in breaker.findings if wall - finding.at <= spec.risk_for or breaker.paused]
        return Flag(
            integration=spec.integration,
            state=state,
            paused=paused,
            reason=reason,
            breaker=breaker.state,
            mode=breaker.mode,
            since=since,
            revision=breaker.revision,
            epoch=self.epoch,
            max_share=share,
            risk=max((finding.confidence for finding in recent), default=0.0),
            level=level,
            cause=recent[-1].detector if recent else "",
            chain=spec.chain,
            observed_block=sight.observed,
            reorg=self._reorg(spec.chain, breaker, sight.observed),
            issued_at=wall,
            valid_for=self.valid_for,
            pending=emergency is not None and not breaker.paused,
        )
