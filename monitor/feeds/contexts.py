"""What rules need and a trace lacks: balances, supplies and code ages before the transaction, kept ready so no verdict waits.

Balances of watched contracts are read once a block, in one frame pinned by hash, when the block's states are read; a pending
transaction simulated on that head finds them in memory. What was not read is absent: unknown, never zero.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from itertools import chain as joined

from detectors.events import Position
from detectors.execution import CREATES, Code, Context, Execution, Log
from monitor.feeds.pools.asked import Batcher, ask
from monitor.feeds.pools.base import NATIVE, TOTAL_SUPPLY, Read, balance_of, number
from monitor.feeds.pools.strangers import Strangers

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

HEADS = 8
"""Blocks whose balances are kept: a block is judged on its parent's, and a reorg goes back a few."""

ROUND = 10
"""Blocks in which every contract is read anew."""

BIRTHS = 100_000
"""Contracts whose creation we remember; beyond, the oldest are forgotten, and old code is what they have become."""


class _Known:
    """What was read at one block: asset -> holder -> amount, share token -> supply, and what was asked in vain."""

    def __init__(self) -> None:
        self.balances: dict[str, dict[str, int]] = {}
        self.supplies: dict[str, int] = {}
        self.asked: set[tuple[str, str]] = set()

    def without(self, contracts: Collection[str]) -> "_Known":
        """A copy that knows nothing of these contracts."""
        kept = _Known()
        kept.balances = {
            token: {holder: amount for holder, amount in holders.items() if holder not in contracts}
            for token, holders in self.balances.items()
        }
        kept.supplies = {share: supply for share, supply in self.supplies.items() if share not in contracts}
        kept.asked = {(token, holder) for token, holder in self.asked if holder not in contracts}
        return kept


class Contexts:
    """The contexts of one chain.

    `assets` maps each watched contract to the tokens it may hold; `prices` is a live mapping, kept by whoever owns it.
    """

    def __init__(
        self,
        rpc: Batcher,
        assets: Mapping[str, Iterable[str]],
        prices: Mapping[str, float] | None = None,
        *,
        timeout: float = 5.0,
    ) -> None:
        self._rpc = rpc
        self._timeout = timeout
        self._prices: Mapping[str, float] = {} if prices is None else prices
        self._listed = {contract: (NATIVE, *(a for a in tokens if a != NATIVE)) for contract, tokens in assets.items()}
        self._strangers = {contract: Strangers(tokens) for contract, tokens in self._listed.items()}
        self._at: dict[str, _Known] = {}
        self._reading = asyncio.Lock()
        self._born: dict[str, tuple[float, str | None]] = {}

    async def refresh(self, position: Position) -> None:
        """Read what every watched contract holds at this block, if it is not known yet. Raises NodeError."""
        if position.id in self._at:
            return  # without waiting for whoever reads another block
        async with self._reading:  # many pending transactions on one new head read it once
            if position.id in self._at:
                return
            await self._read(position.id, self._listed, with_supplies=True)

    async def advance(self, position: Position, touched: Collection[str]) -> None:
        """Have this block's balances ready: the parent's, with those of the touched contracts read anew. Raises NodeError.

        A rebasing token moves without a trace, so every contract is read anew once in ROUND blocks, some in each. Where the
        parent's are not known, all are read.
        """
        async with self._reading:
            if position.id in self._at:
                return
            before = self._at.get(position.parent or "")
            if before is None:
                await self._read(position.id, self._listed, with_supplies=True)
                return
            due = {c for place, c in enumerate(self._listed) if c in touched or place % ROUND == position.height % ROUND}
            await self._read(position.id, due, with_supplies=True, known=before.without(due))

    async def of(self, execution: Execution, parent: Position) -> Context:
        """The context of an execution on top of `parent`: from memory, save for tokens never seen at a watched contract before.

        Raises NodeError when balances had to be read and were not.
        """
        await self.refresh(parent)
        known = self._at[parent.id]
        touched = {ctx for frame in execution.frames if (ctx := frame.ctx) in self._listed and ctx is not None}
        touched |= self._moved(execution)
        missing = [c for c in touched if any((token, c) not in known.asked for token in self._tokens(c))]
        if missing:
            await self._read(parent.id, missing, with_supplies=False)
        return self._context(known, touched, execution)

    def note(self, execution: Execution) -> None:
        """Remember what a mined execution created, and by whom."""
        for frame in execution.frames:
            if frame.alive and frame.type in CREATES and frame.to is not None:
                self._born[frame.to] = execution.at, execution.sender
        while len(self._born) > BIRTHS:
            del self._born[next(iter(self._born))]

    def _tokens(self, contract: str) -> Iterable[str]:
        return joined(self._listed[contract], self._strangers[contract])

    def _moved(self, execution: Execution) -> set[str]:
        """Watched contracts that a token moved in or out of; the token is followed from now on."""
        found = set()
        for step in execution.steps:
            if type(step) is Log and len(step.topics) == 3 and step.topics[0] == TRANSFER:
                for topic in step.topics[1:]:
                    holder = "0x" + topic[-40:]
                    if (strangers := self._strangers.get(holder)) is not None:
                        found.add(holder)
                        strangers.saw(step.address)
        return found

    async def _read(self, block: str, contracts: Collection[str], *, with_supplies: bool, known: _Known | None = None) -> None:
        known = known or self._at.get(block) or _Known()
        wanted = [(token, c) for c in contracts for token in self._tokens(c) if (token, c) not in known.asked]
        shares = list(contracts) if with_supplies else []
        held = [balance_of(token, holder, stranger=token not in self._listed[holder]) for token, holder in wanted]
        reads = [*held, *(Read(share, TOTAL_SUPPLY) for share in shares)]
        answers = await ask(self._rpc, reads, block, self._timeout)
        for (token, holder), answer in zip(wanted, answers, strict=False):
            known.asked.add((token, holder))
            if (amount := self._strangers[holder].balance(token, answer)) is not None:
                known.balances.setdefault(token, {})[holder] = amount
        for share, answer in zip(shares, answers[len(wanted) :], strict=True):
            if (supply := number(answer)) is not None:
                known.supplies[share] = supply
        self._at[block] = known
        while len(self._at) > HEADS:
            del self._at[next(iter(self._at))]

    def _context(self, known: _Known, touched: Collection[str], execution: Execution) -> Context:
        balances = {
            asset: mine
            for asset, holders in known.balances.items()
            if (mine := {holder: amount for holder, amount in holders.items() if holder in touched})
        }
        codes = {}
        for address in {frame.to for frame in execution.frames}:
            if address is not None and (born := self._born.get(address)) is not None:
                codes[address] = Code(age=max(0.0, execution.at - born[0]), deployer=born[1])
        return Context(
            balances=balances,
            supplies={share: supply for share, supply in known.supplies.items() if share in touched},
            codes=codes,
            prices=dict(self._prices),
        )
