"""The doctor: dials every configured node once and says what it offers, what it lacks, how to mend that, and what it costs."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from detectors.events import Position
from monitor.breaker.actuators.base import Head, Target
from monitor.breaker.actuators.simulated import Simulated
from monitor.chains import wire
from monitor.chains.capabilities import Capabilities, of_kind, probe
from monitor.chains.evm import Evm
from monitor.chains.identity import Identity
from monitor.chains.kinds import KINDS, Traits
from monitor.chains.link import LANES
from monitor.chains.rpc import Rpc
from monitor.config import ChainConfig, Config, Contract, Node
from monitor.costs import Bill, beside, leading
from monitor.errors import NodeError
from monitor.exits import targets_of
from monitor.remedies import missing, remedies
from monitor.survey import reads_as
from monitor.traffic import measured

BLIND = "nothing can be judged by this node: while it is the only one, every flag of the chain is unknown"

_WITHIN = 5.0


class Case(msgspec.Struct, frozen=True):
    """A chain with everything that its nodes are examined for."""

    chain: ChainConfig
    traits: Traits
    contracts: tuple[Contract, ...]
    exits: tuple[Target, ...]


async def examine(config: Config, done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """One report: `ok`, per chain and node what was found, and what the configuration leaves open. `done` hears of each node."""
    nodes = []
    for name, chain in config.chains.items():
        contracts = tuple(c for one in config.integrations.values() if one.chain == name for c in one.contracts)
        case = Case(chain, KINDS[chain.kind], contracts, tuple(targets_of(config, name)))
        for place, node in enumerate(chain.nodes):
            nodes.append({"chain": name, "node": node.name, **await _node(node, case, first=place == 0)})
            done()
    ok = all(node["ok"] for node in nodes)
    return {
        "ok": ok, "nodes": nodes, "degraded": _degraded(nodes), "missing": list(missing(config)), "providers": _providers(nodes),
    }  # fmt: skip


def _degraded(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The chains whose next failure would blind us, in words."""
    chains: dict[str, list[str]] = {}
    for node in nodes:
        chains.setdefault(node["chain"], []).extend([node["node"]] if node["ok"] else [])
    return [
        f"{chain} has one node that is ok ({names[0]}): its next failure would blind us"
        if names
        else f"{chain} has no node that is ok: its flags are unknown"
        for chain, names in chains.items()
        if len(names) < 2
    ]


async def _node(node: Node, case: Case, *, first: bool) -> dict[str, Any]:
    url, chain = node.ws.reveal(), case.chain
    found: dict[str, Any] = {"url": wire.shown(url), "ok": False}
    try:
        rpc = await Rpc.connect(url, provider=node.name, chain=chain.id, max_size=LANES["requests"])
        try:
            await Identity(chain.id, node.name, chain.pinned).check(rpc, rpc.where, within=_WITHIN)
            head = (await Evm(rpc, chain=chain.id).extent(within=_WITHIN)).head
            found["head"] = head.position.height
            found["head_age_seconds"] = round(time.time() - head.timestamp, 1)
            capabilities = of_kind(await probe(rpc, chain=chain.id), case.traits)
            found["capabilities"] = msgspec.structs.asdict(capabilities)
            mending = remedies(found["capabilities"])
            found["consequences"], found["remedies"] = [one for one, _ in mending], [one for _, one in mending]
            if not capabilities.judges:
                found["consequences"].insert(0, BLIND)
                found["remedies"].insert(
                    0, "take a node with the debug or trace methods; the lines below say how they are opened"
                )
            found["unreadable"] = await _unreadable(rpc, case, head.position)
            found["ok"] = capabilities.judges and not found["unreadable"]
            at = Head(head.position, head.base_fee, time.time())
            looked = [await Simulated(one, rpc, lambda: None, pinned=capabilities.pinned).readiness(at) for one in case.exits]
            found["pauses"] = [msgspec.to_builtins(one) | {"why": one.why} for one in looked]
            found["cost"] = await _cost(rpc, case, capabilities, node, head.position.height, first=first)
        finally:
            await rpc.close()
    except NodeError as error:
        found["problem"] = str(error)
    return found


async def _unreadable(rpc: Rpc, case: Case, at: Position) -> list[str]:
    """Watched contracts that do not tell their state as what they are configured to be."""
    return [
        f"{one.address} cannot be read as {one.kind}; what it is, `seawall init {one.address} --node URL -o -` says"
        for one in case.contracts
        if await reads_as(rpc, case.chain.id, one, at) is None
    ]


async def _cost(rpc: Rpc, case: Case, capabilities: Capabilities, node: Node, head: int, *, first: bool) -> dict[str, Any]:
    """The node's bills, as JSON: `leading`, None where its traffic could not be measured, and `beside` the one that leads."""
    traffic = await measured(rpc, head, {one.address for one in case.contracts})
    exits = ["safe" if one.safe else "eoa" for one in case.exits]
    lead = traffic and leading(case.chain, capabilities, case.traits, traffic, case.contracts, exits, node.rate)
    return {
        "leading": lead and _billed(lead),
        "beside": None if first else _billed(beside(case.chain, capabilities, node.rate)),
    }


def _billed(bill: Bill) -> dict[str, Any]:
    return {
        "items": {item.what: round(item.calls) for item in bill.items}, "a_day": round(bill.a_day),
        "a_second": round(bill.a_second, 2), "burst": round(bill.burst), "rate": bill.rate, "verdict": bill.verdict,
    }  # fmt: skip


def told(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = []
    for node in report["nodes"]:
        lines.append(f"{node['chain']}/{node['node']} {node['url']}: {'ok' if node['ok'] else 'NOT ok'}")
        if "problem" in node:
            lines.append(f"  {node['problem']}")
        if "head" in node:
            lines.append(f"  head {node['head']}, {node['head_age_seconds']} s old")
        for capability, offered in node.get("capabilities", {}).items():
            lines.append(f"  {'yes' if offered else 'no ':3} {capability}")
        for one in node.get("pauses", ()):
            word = {True: "would work", False: "would FAIL", None: "is unknown"}[one["ready"]]
            lines.append(f"  the on-chain pause of {one['integration']} {word}{': ' + one['why'] if one['why'] else ''}")
        lines += [f"  ! {line}" for line in node.get("unreadable", ())]
        for follows, mend in zip(node.get("consequences", ()), node.get("remedies", ()), strict=True):
            lines += [f"  ! {follows}", f"      mend: {mend}"]
        lines += _cost_told(node.get("cost"))
    if len(report["nodes"]) > 1:
        lines += [f"{host}: {calls:,} calls a day in all" for host, calls in report["providers"].items()]
    lines += [f"! {line}" for line in (*report["degraded"], *report["missing"])]
    return "\n".join(lines)


def _cost_told(cost: Mapping[str, Any] | None) -> list[str]:
    """What it is asked for while it leads, a line each; and, of one that does not lead at first, what it costs beside."""
    if cost is None or cost["leading"] is None:
        return []
    lead, aside = cost["leading"], cost["beside"]
    lines = ["  cost in calls a day, by the traffic of its newest blocks" + (", should it take the lead:" if aside else ":")]
    lines += [f"    {calls:>12,}  {what}" for what, calls in lead["items"].items()]
    lines.append(f"    {lead['a_day']:>12,}  in all: {lead['a_second']:,.2f} a second, {lead['a_day'] * 30:,} in 30 days")
    if aside is not None:
        lines.append(f"    {aside['a_day']:>12,}  while another leads")
    if lead["rate"] is not None:
        verdict = lead["verdict"] or f"rate {lead['rate']:g} is enough"
        lines.append(f"    {'!' if lead['verdict'] else 'ok':>12}  {verdict}")
    return lines


def _providers(nodes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Calls a day to each host while the first node of every chain leads: one provider may serve several chains."""
    total: dict[str, int] = {}
    for node in nodes:
        if (cost := node.get("cost")) is not None and (bill := cost["beside"] or cost["leading"]) is not None:
            host = urlsplit(node["url"]).hostname or node["url"]
            total[host] = total.get(host, 0) + bill["a_day"]
    return total
