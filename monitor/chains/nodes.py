"""All nodes of a chain as one: the best in the lead, another when that one fails, and a vote where one word is not enough.

The feeds hold roles, not nodes: lanes that always belong to the node in the lead. When the lead moves, the connections of the
node that had it are ended, so that whoever waits there hears of it at once, and takes up on the next as after any reconnect.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog

from detectors.events import Position
from monitor import metrics
from monitor.chains import health
from monitor.chains.attended import Attended, Others
from monitor.chains.capabilities import Capabilities, show
from monitor.chains.health import Health, Standing, State
from monitor.chains.link import LANES, Lane, Link
from monitor.chains.roles import Role
from monitor.errors import NodeError, NodeUnreachable

log = structlog.get_logger()

PATIENCE = 2.0
"""Seconds after the start in which the first configured node may still come up before another takes the lead."""
MISSING = 10.0
"""Seconds for which the one in the lead may lack a connection before a node that has all of them is better."""
JUDGING = frozenset(("requests", "traces"))
"""The lanes without which no block is judged."""
OUTVOTED = 3
"""Votes on end that the one in the lead must lose before it is taken for a liar: by then a reorganisation is over."""


class Nodes:
    """The nodes of one chain, in order of preference. `block_time` seconds; `quorum` of them must agree on a block.

    `moved` is called when the lead went to another node, or the one in the lead was found to offer something else.
    """

    def __init__(self, links: Sequence[Link], *, block_time: float = 12.0, quorum: int = 1) -> None:
        self.chain = links[0].chain
        self.quorum = quorum
        self.moves = 0
        self.moved: Callable[[Capabilities], None] = lambda _: None
        self._nodes = {link.provider: Attended(link, block_time=block_time, changed=self._choose) for link in links}
        self._lead = links[0].provider
        self._told: tuple[str, Capabilities | None] = self._lead, None
        self._states: dict[str, State] = {}
        self._turn = asyncio.Event()
        self._lost_votes = 0
        self._began = time.monotonic()
        self.heads, self.pending, self.requests, self.simulations, self.aside, self.slow, self.traces = (
            Role(self, name) for name in LANES
        )

    @property
    def leader(self) -> Link:
        """The node that is asked."""
        return self._nodes[self._lead].link

    @property
    def health(self) -> Mapping[str, Health]:
        """How each is doing, by name."""
        return {name: node.health for name, node in self._nodes.items()}

    @property
    def capabilities(self) -> Capabilities | None:
        """What the one in the lead offers; None before it answered."""
        return self._nodes[self._lead].capabilities

    @property
    def trouble(self) -> str | None:
        """What is wrong with the one in the lead; None while it is up."""
        node = self._nodes[self._lead]
        return node.link.state.error or (node.health.why if node.health.state is State.WRONG_CHAIN else None)

    @property
    def degraded(self) -> str | None:
        """In words, why the next failure would blind us, or what leads only for want of a better one; None while all is well."""
        lead, alive = self._nodes[self._lead], sum(node.health.state is State.ALIVE for node in self._nodes.values())
        if lead.health.state is not State.ALIVE:
            return f"{lead.name} is {lead.health.state} ({lead.health.why}) and is asked for want of a better node"
        if missing := lead.missing(MISSING):
            lanes = ", ".join(sorted(missing))
            return f"{lead.name} takes no connection for {lanes} ({lead.link.state.error}); does its plan allow seven?"
        if alive == 1 < len(self._nodes):
            return f"{lead.name} is the last of {len(self._nodes)} nodes that is alive; the next failure would blind us"
        return None

    def facts(self) -> list[Mapping[str, object]]:
        """Each node for people. `degraded`: it is in the lead only for want of a better one."""
        return [
            {
                "name": name, "url": node.link.state.url, "state": str(node.health.state), "why": node.health.why,
                "head": node.health.height if node.health.height >= 0 else None, "leads": name == self._lead,
                "degraded": name == self._lead and node.health.state is not State.ALIVE,
            }
            for name, node in self._nodes.items()
        ]  # fmt: skip

    async def capable(self) -> Capabilities:
        """What the node in the lead offers, waiting until one answered."""
        while (found := self.capabilities) is None:
            await self.turn()
        return found

    async def run(self) -> None:
        """Keep all of them dialled and looked after until cancelled."""
        self._began = time.monotonic()
        self._choose()
        async with asyncio.TaskGroup() as tasks:
            for name, node in self._nodes.items():
                tasks.create_task(node.link.run(), name=f"{self.chain}/{name}")
                tasks.create_task(node.run(lambda node=node: self._others(node)), name=f"{self.chain}/{name}/health")  # type: ignore[misc]  # binds the node of now

    async def agrees(self, position: Position) -> bool | None:
        """Do enough nodes have this block, the one in the lead included? None: too few answer, or have come so far."""
        out = State.WRONG_CHAIN, State.INVALID_FINALITY, State.QUARANTINED
        others = [
            node
            for name, node in self._nodes.items()
            if name != self._lead and node.health.answers and node.health.state not in out
        ]
        if 1 + len(others) < self.quorum:
            return None
        votes = Counter(await asyncio.gather(*(node.block_id(position.height) for node in others)))
        del votes[""]
        same = 1 + votes.pop(position.id, 0)
        against = max(votes.values(), default=0)
        if same >= self.quorum:
            self._lost_votes = 0
            return True
        self._lost_votes = self._lost_votes + 1 if against >= max(same + 1, self.quorum) else 0
        if self._lost_votes >= OUTVOTED:
            self._lost_votes = 0
            self._nodes[self._lead].contradicted(f"its block {position.height} is not that of {against} others")
        return False if against else None

    def second(self) -> Lane | None:
        """The heads lane of another node that is alive: what it says must prove itself."""
        for name, node in self._nodes.items():
            if name != self._lead and node.health.state is State.ALIVE and node.link.heads.state.up:
                return node.link.heads
        return None

    def lane(self, role: str) -> Lane:
        """The lane of that name of the node in the lead."""
        lane: Lane = getattr(self.leader, role)
        return lane

    async def turn(self) -> None:
        """Wait for the lead to move, or the one in the lead to be known better."""
        self._turn.clear()
        await self._turn.wait()

    def noticed(self, lane: Lane, error: NodeError, *, given_up: bool = False) -> None:
        """The follower had trouble with this lane; `given_up`: after many tries."""
        self._nodes[lane.provider].failed(error, given_up=given_up)

    def ask_anew(self) -> None:
        """The one in the lead did not do what it offered: ask it what it offers now."""
        self._nodes[self._lead].ask_anew()

    def _others(self, node: Attended) -> Others:
        """What a node is compared with. The first block is that of the first configured node that ever told it."""
        best = max((one.health.height for one in self._nodes.values() if one is not node and one.health.usable), default=-1)
        return Others(best, next((one.genesis for one in self._nodes.values() if one.genesis), ""))

    def _choose(self) -> None:
        """Something changed: tell it, and let another lead if that is better."""
        for name, node in self._nodes.items():
            self._show(name, node.health)
        metrics.DEGRADED.labels(self.chain).set(self.degraded is not None)
        lead = self._nodes[self._lead]
        if lead.health.state is not State.UNDIALED or time.monotonic() - self._began > PATIENCE:
            standing = {name: self._standing(name, node) for name, node in self._nodes.items()}
            if (best := health.leader(self._lead, standing)) != self._lead:
                self._move(best)
        if self.capabilities is not None and self._told != (told := (self._lead, self.capabilities)):
            self._told = told
            show(self.chain, self.capabilities)
            self.moved(self.capabilities)
            self._turn.set()

    def _standing(self, name: str, node: Attended) -> Standing:
        """The one in the lead may lack a connection for a while; only who has it, or all of them, is better then.

        So two nodes that allow fewer connections than we need do not take the lead in turns.
        """
        missing = node.missing(MISSING if name == self._lead else 0.0)
        judges = node.capabilities is not None and node.capabilities.judges
        return Standing(node.health, judges and not missing & JUDGING, not missing)

    def _show(self, name: str, now: Health) -> None:
        if self._states.get(name) is now.state:
            return
        if name in self._states:
            log.warning("node_state", chain=self.chain, provider=name, was=self._states[name], now=now.state, why=now.why)
        self._states[name] = now.state
        for state in State:
            metrics.NODE_STATE.labels(self.chain, name, state).set(state is now.state)

    def _move(self, best: str) -> None:
        before, self._lead = self._nodes[self._lead], best
        lacking = f", without {', '.join(sorted(missing))}" if (missing := before.missing(MISSING)) else ""
        why = f"{before.name} is {before.health.state} ({before.health.why}){lacking}; going on with {best}"
        self.moves += 1
        self._lost_votes = 0
        metrics.NODE_MOVES.labels(self.chain).inc()
        log.warning("node_lead", chain=self.chain, was=before.name, now=best, why=why)
        self._turn.set()
        for lane in before.link.lanes:
            lane.drop(NodeUnreachable(why))
