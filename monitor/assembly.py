"""From a configuration to the parts that the application is made of: plain values and constructors, no I/O."""

import importlib.metadata
import time
from collections.abc import Mapping
from typing import Any

from alerts.channels import discover as channels
from detectors import PlugInError
from detectors import discover as detectors
from detectors.base import Detector, Registry, Watch
from detectors.execution.trusted import trusted as public_routers
from monitor import canary, spans
from monitor.breaker.orders import Member
from monitor.breaker.policy import Rules
from monitor.chains.tape import Header
from monitor.config import Config
from monitor.effigy import BANK
from monitor.errors import ConfigError
from monitor.pipeline import Watched

VERSION = importlib.metadata.version("seawall")


def registry_of(config: Config) -> Registry:
    """Per chain id: what is watched, and what is trusted (the operator's list and the public routers)."""
    registry = {}
    for name, chain in config.chains.items():
        contracts = [c for one in config.integrations.values() if one.chain == name for c in one.contracts]
        trusted = {*config.trusted.get(name, ()), *public_routers(chain.id)}
        kinds = {c.address: str(c.kind) for c in contracts}
        registry[chain.id] = Watch(watched=frozenset((*kinds, BANK)), trusted=frozenset(trusted), kinds=kinds)
    return registry


def known_detectors() -> dict[str, type[Detector]]:
    """Every detector by name, ours and plug-ins'. Raises ConfigError naming plug-ins that cannot be imported."""
    try:
        return detectors()
    except PlugInError as error:
        raise ConfigError(error.problems) from None


def buildable(config: Config) -> None:
    """Make every detector and channel as the daemon would, and let them go. Raises ConfigError with all that refuse."""
    problems: list[str] = []
    for build in (lambda: build_detectors(config, registry_of(config)), lambda: build_channels(config)):
        try:
            build()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def build_detectors(
    config: Config, registry: Registry, known: Mapping[str, type[Detector]] | None = None
) -> list[Detector]:  # fmt: skip
    """Every known detector with its configured arguments; `enabled: false` leaves one out. Raises ConfigError.

    `known`: those found at the start, which a running daemon keeps whatever is installed or removed meanwhile.
    """
    known = known_detectors() if known is None else known
    problems = [
        f"detectors.{name}: no such detector; there are {', '.join(sorted(known))}"
        for name in config.detectors
        if name not in known
    ]
    problems += [
        f"integrations.{integration}.detectors.{name}: no such detector; there are {', '.join(sorted(known))}"
        for integration, one in config.integrations.items()
        for name in one.detectors
        if name not in known
    ]
    made = []
    for name, kind in known.items():
        options = dict(config.detectors.get(name, {}))
        if not options.pop("enabled", True):
            continue
        try:
            made.append(kind(registry, **options))  # type: ignore[call-arg]  # every detector takes the registry first
        except (TypeError, ValueError) as error:
            problems.append(f"detectors.{name}: {error}")
    if problems:
        raise ConfigError(problems)
    return made


def build_channels(config: Config) -> dict[str, Any]:
    """Every configured receiver's channel. Raises ConfigError."""
    known, made, problems = channels(), {}, []
    for name, receiver in config.alerts.receivers.items():
        if receiver.channel not in known:
            problems.append(
                f"alerts.receivers.{name}.channel: no such channel {receiver.channel!r}; there are {', '.join(sorted(known))}"
            )
            continue
        try:
            made[name] = known[receiver.channel](**receiver.arguments())
        except (TypeError, ValueError) as error:
            problems.append(f"alerts.receivers.{name}: {error}")
    if problems:
        raise ConfigError(problems)
    return made


def members_of(config: Config) -> dict[str, Member]:
    """What orders must know of each integration."""
    return {
        name: Member(
            chain=config.chains[one.chain].id, contracts=frozenset(c.address for c in one.contracts), critical=one.critical
        )
        for name, one in config.integrations.items()
    }


def watched_of(config: Config) -> list[Watched]:
    """Each integration as the pipeline sees it."""
    return [
        Watched(
            integration=name, chain=config.chains[one.chain].id, contracts=tuple(c.address for c in one.contracts),
            rules=rules_of(config, name), policy=one.policy, finality=config.chains[one.chain].finality,
            shadowed=one.shadowed(known_detectors()),
        )
        for name, one in config.integrations.items()
    ] + [canary.watched_of(chain.id) for chain in config.chains.values()]  # fmt: skip


def rules_of(config: Config, integration: str) -> Rules:
    """The numbers of the policy that an integration follows."""
    policy = config.policy_of(integration)
    return Rules(**{field: getattr(policy, field) for field in Rules.__struct_fields__})


def header_of(config: Config) -> Header:
    """The first line of a tape recorded now."""
    return Header(
        seawall=VERSION,
        config=config.hash,
        started=time.time(),
        chains=tuple(chain.id for chain in config.chains.values()),
        integrations=tuple(config.integrations),
    )


def trace(config: Config) -> None:
    """Write spans from now on, where `tracing` is configured. Raises ConfigError without the extra."""
    if config.tracing is None:
        return
    try:
        from monitor import otel  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError([f"tracing: {error.name} is not installed; install the extra: pip install 'seawall[otel]'"]) from None
    spans.start(otel.over_http(config.tracing.endpoint, VERSION), config.tracing.share)
