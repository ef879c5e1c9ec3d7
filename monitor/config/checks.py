"""What no single value shows: names that point nowhere, thresholds the wrong way round, things that stand twice."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import alerts.route
from detectors.base import Severity
from monitor.config.kinds import Listen, written
from monitor.config.layout import Alerts, Api, ChainConfig, File, Policy
from monitor.config.loader import Path

Problem = tuple[Path, str]
DEFAULT_POLICY = "default"


def problems(file: File, data: Any) -> Iterator[Problem]:  # noqa: ANN401 - the plain data of the file
    """Everything wrong between the parts of this file. `data` tells which names were written, well or badly."""
    yield from _chains(file.chains, data)
    yield from _references(file, data)
    for name, integration in file.integrations.items():
        addresses = [contract.address for contract in integration.contracts]
        yield from _twice(addresses, ("integrations", name, "contracts"), "the contract {} stands twice")
    for chain, prices in file.prices.items():
        for index, price in enumerate(prices):
            if price.token == price.quote:
                yield ("prices", chain, index, "quote"), "a token cannot be priced in itself"
        yield from _twice([price.token for price in prices], ("prices", chain), "the token {} is priced twice")
    for name, policy in file.policies.items():
        yield from _policy(("policies", name), policy)
    yield from _twice([one.name for one in file.sanctions.lists], ("sanctions", "lists"), "two lists are called {}")
    yield from _alerts(file.alerts, _written(data, "alerts", "receivers"))
    yield from _api(file.api)


def _written(data: object, *path: str) -> list[str]:
    """The keys of a mapping as written, whatever became of their values."""
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return list(data) if isinstance(data, Mapping) else []


def _twice(values: Iterable[str], path: Path, text: str) -> Iterator[Problem]:
    for value, count in Counter(values).items():
        if count > 1:
            yield path, text.format(value)


def _chains(chains: Mapping[str, ChainConfig], data: Any) -> Iterator[Problem]:  # noqa: ANN401 - plain data
    owners: dict[str, str] = {}
    for name, chain in chains.items():
        path = ("chains", name)
        if (owner := owners.setdefault(chain.id, name)) != name:
            yield (*path, "id"), f"{chain.id} is chains.{owner} already"
        if not chain.id.startswith("eip155:"):
            yield (*path, "id"), f"{chain.id} is no EVM chain; this version watches eip155 chains only"
        if chain.quorum > (nodes := len(data["chains"][name]["nodes"])):
            yield (*path, "quorum"), f"{chain.quorum} nodes must agree, and {nodes} can be used"
        if chain.blind_after < chain.block_time:
            least = f"less than one block ({written(chain.block_time)})"
            yield (*path, "blind_after"), f"{written(chain.blind_after)} is {least}: it would be blind all the time"
        yield from _twice([node.name for node in chain.nodes], (*path, "nodes"), "two nodes are called {}")


VIEWS = ("paused", "state", "max_share", "risk", "level")
"""The views of a flag: what follows an integration's id and a dot in a flag's key."""

_ENDS = tuple(f".{view}" for view in VIEWS)


def _references(file: File, data: object) -> Iterator[Problem]:
    chains, policies = _written(data, "chains"), [*_written(data, "policies"), DEFAULT_POLICY]
    for name, integration in file.integrations.items():
        path = ("integrations", name)
        if name.endswith(_ENDS):
            yield path, f"{name[name.rindex('.') :]} at its end is a view of a flag ({', '.join(_ENDS)}); name it otherwise"
        if integration.chain not in chains:
            yield (*path, "chain"), _nothing("chain", integration.chain, chains)
        if integration.policy not in policies:
            yield (*path, "policy"), _nothing("policy", integration.policy, policies)
    for part in ("trusted", "prices"):
        for chain in _written(data, part):
            if chain not in chains:
                yield (part, chain), _nothing("chain", chain, chains)


def _nothing(what: str, name: str, known: Iterable[str]) -> str:
    return f'no {what} is called "{name}"; there are: {", ".join(dict.fromkeys(known)) or "none"}'


def _policy(path: Path, policy: Policy) -> Iterator[Problem]:
    if policy.warn_at > policy.pause_at:
        yield (*path, "warn_at"), f"{policy.warn_at} is above pause_at ({policy.pause_at}): it would pause before it warns"
    if policy.close_at >= policy.pause_at:
        yield (*path, "close_at"), f"{policy.close_at} is not below pause_at ({policy.pause_at}): it would open and close at once"
    if policy.min_open > policy.max_open:
        yield (*path, "min_open"), f"{written(policy.min_open)} is longer than max_open ({written(policy.max_open)})"
    steps = [at for at in (policy.throttle_at, policy.exits_only_at, policy.pause_at) if at is not None]
    if steps != sorted(steps):
        yield (*path, "pause_at"), "throttle_at, exits_only_at and pause_at must rise in this order: mild steps come first"
    if list(policy.half_open) != sorted(set(policy.half_open)):
        yield (*path, "half_open"), "shares must rise from one to the next"


def _alerts(section: Alerts, receivers: list[str]) -> Iterator[Problem]:
    for text in alerts.route.problems(section.routing, receivers):
        place, _, what = text.partition(": ")
        yield ("alerts", *_split(place)), what
    for index, route in enumerate(section.routes):
        for label, value in route.match.items():
            path: Path = ("alerts", "routes", index, "match", label)
            if "*" in value:
                yield path, "there are no wildcards; leave the label out to match every value"
            elif label == "severity" and value not in set(Severity):
                yield path, f'"{value}" is not one of: {", ".join(Severity)}'
        if not route.to:
            yield ("alerts", "routes", index, "to"), "names no receiver"


def _split(path: str) -> Path:
    """`routes[0].to` as a path."""
    parts: list[str | int] = []
    for step in path.split("."):
        name, _, index = step.partition("[")
        parts.append(name)
        if index:
            parts.append(int(index.rstrip("]")))
    return tuple(parts)


def _api(api: Api) -> Iterator[Problem]:
    if api.admin.port and api.admin.port == api.read.port and _overlap(api.read, api.admin):
        yield ("api", "admin"), f"{api.admin} is the read listener's place; orders need one of their own"
    if api.admin.everywhere and not api.tokens:
        yield ("api", "admin"), f"{api.admin} takes orders from everywhere, and there is no token to ask for"
    yield from _twice([token.name for token in api.tokens], ("api", "tokens"), "two tokens are called {}")
    secrets = Counter(token.sha256 for token in api.tokens)
    for index, token in enumerate(api.tokens):
        path = ("api", "tokens", index)
        if (token.secret is None) == (token.digest is None):
            yield path, "needs a secret or a digest, one of them; make a token with: seawall token create"
        elif secrets[token.sha256] > 1:
            yield (*path, "secret"), "another token has the same secret, so it would not be known whose order it is"
        if token.secret is not None and len(token.secret.reveal()) < 16:
            yield (*path, "secret"), "shorter than 16 characters; make one with: openssl rand -hex 32"
        if not token.scopes:
            yield (*path, "scopes"), "allows nothing; name pause, resume, audit or reload"


def _overlap(one: Listen, other: Listen) -> bool:
    return one.host == other.host or one.everywhere or other.everywhere
