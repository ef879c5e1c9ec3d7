"""The doctor: dials every configured node once and says what it offers, what it lacks, and what Seawall does without it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from monitor.breaker.actuators.base import Head, Target
from monitor.breaker.actuators.simulated import Simulated
from monitor.chains import wire
from monitor.chains.capabilities import of_kind, probe
from monitor.chains.evm import Evm
from monitor.chains.identity import Identity, Pinned
from monitor.chains.kinds import KINDS, Traits
from monitor.chains.link import LANES
from monitor.chains.rpc import Rpc
from monitor.config import Config
from monitor.errors import NodeError
from monitor.exits import targets_of

CONSEQUENCES = {
    "mempool": "unsupported here, which is not quiet: nothing is seen before its block, or before the sequencer promises it",
    "full_pending": "pending transactions are looked up one by one: a round trip more before a verdict",
    "trace_call": "pending transactions cannot be judged: attacks are seen only in their block",
    "trace_block": "without rows too, blocks are traced transaction by transaction, or not at all",
    "rows": "blocks are traced in nested form, for which some nodes need longer than a slot when a block is full",
    "js_call": "storage order of pending transactions is unknown: re-entrancy below the structural score only warns",
    "js_transaction": "storage order of mined transactions is unknown: re-entrancy below the structural score only warns",
    "pinned": "state is read by height: a reorganisation in between can mix two blocks",
    "tags": "nothing is known to be final: automatic holds are not released by themselves",
}
"""What follows from each capability that a node lacks."""

BLIND = "nothing can be judged by this node: while it is the only one, every flag of the chain is unknown"

_WITHIN = 5.0


async def examine(config: Config) -> dict[str, Any]:
    """One report: `ok`, and per chain and node what was found."""
    nodes = [
        {
            "chain": name,
            "node": node.name,
            **await _node(node.ws.reveal(), chain.id, node.name, chain.pinned, KINDS[chain.kind], exits),
        }
        for name, chain in config.chains.items()
        for exits in (targets_of(config, name),)
        for node in chain.nodes
    ]
    return {"ok": all(node["ok"] for node in nodes), "nodes": nodes, "degraded": _degraded(nodes)}


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


async def _node(
    url: str, chain: str, name: str, checkpoint: Pinned | None, traits: Traits, exits: Sequence[Target]
) -> dict[str, Any]:
    found: dict[str, Any] = {"url": wire.shown(url), "ok": False}
    try:
        rpc = await Rpc.connect(url, provider=name, chain=chain, max_size=LANES["requests"])
        try:
            await Identity(chain, name, checkpoint).check(rpc, rpc.where, within=_WITHIN)
            evm = Evm(rpc, chain=chain)
            head = (await evm.extent(within=_WITHIN)).head
            found["head"] = head.position.height
            found["head_age_seconds"] = round(time.time() - head.timestamp, 1)
            capabilities = of_kind(await probe(rpc, chain=chain), traits)
            found["capabilities"] = msgspec.structs.asdict(capabilities)
            found["consequences"] = [CONSEQUENCES[name] for name in capabilities.missing]
            if not capabilities.judges:
                found["consequences"].insert(0, BLIND)
            found["ok"] = capabilities.judges
            at = Head(head.position, head.base_fee, time.time())
            looked = [await Simulated(one, rpc, lambda: None, pinned=capabilities.pinned).readiness(at) for one in exits]
            found["pauses"] = [msgspec.to_builtins(one) | {"why": one.why} for one in looked]
        finally:
            await rpc.close()
    except NodeError as error:
        found["problem"] = str(error)
    return found


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
        lines += [f"  ! {line}" for line in node.get("consequences", ())]
    lines += [f"! {line}" for line in report["degraded"]]
    return "\n".join(lines)
