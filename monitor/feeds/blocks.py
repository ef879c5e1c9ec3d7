"""Whole blocks traced: as flat rows with their receipts where the node has them, else nested, else transaction by transaction.

Some nodes take quadratic time for the nested form: anvil gives four hundred transactions as rows in a thirtieth of a second and
as `debug_traceBlockByHash` in twenty. Rows lack logs, which the block's receipts have (`traces/receipts.py`).
"""

import asyncio
from collections.abc import Sequence

import msgspec

from detectors.events import Position, Stage, Unjudged
from detectors.execution import Execution
from monitor.chains.traces import Origin, Words, calltracer, parity, receipts
from monitor.chains.traces.words import is_error, text
from monitor.courtesy import Courtesy
from monitor.errors import TraceUnreadable
from monitor.feeds.singly import Singly
from monitor.feeds.tracing import DEEP, LATE, MOST_BYTES, OVERSIZE, REFUSED, Caller, Failed, ask, decoded, nested, unjudged, why

MOST_ROWS = 31 << 20
"""Bytes taken of a whole block's rows, or of its receipts: almost what a connection takes. Of one transaction `MOST_BYTES`."""

A_HUNDRED = 100
"""Transactions for which a whole block gets another `trace_within`."""


class _Traced(msgspec.Struct, rename="camel", gc=False):
    """One transaction of `debug_traceBlockByHash`; old nodes leave its hash out."""

    tx_hash: str | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class Blocks:
    """Whole blocks of one chain. `rows`: the node has `trace_block` and `eth_getBlockReceipts`.

    `trace_within`, seconds, is the deadline of one transaction. A block as a whole has that much and as much again for every
    hundred transactions, once for its trace and once, if that fails, for all of its transactions together: a node that needs
    longer costs the rest of this block (unjudged, `late`), not the blocks after it.
    """

    def __init__(self, rpc: Caller, chain: str, words: Words, courtesy: Courtesy, *, rows: bool, trace_within: float) -> None:
        self.chain = chain
        self._courtesy = courtesy
        self._rpc = rpc
        self._words = words
        self.rows = rows
        self._within = trace_within

    async def traced(self, position: Position, txs: Sequence[str], at: float) -> list[Execution | Unjudged]:
        """Every transaction of the block, in its order; `txs` are their hashes as the block lists them, `at` when it was seen."""
        origins = [
            Origin(source=tx, chain=self.chain, at=at, tx=tx, index=index, position=position, stage=Stage.INCLUDED, logged=True)
            for index, tx in enumerate(txs)
        ]
        patient = False
        for whole in (self._flat, self._nested) if self.rows else (self._nested,):
            try:
                return await whole(position, origins)
            except Failed as failed:
                patient = failed.cut or failed.reason in {LATE, OVERSIZE}
                if patient:
                    break  # the nested form is longer and slower still
        return await self._each(origins, patient=patient)

    def whole_within(self, transactions: int) -> float:
        """The deadline of a block of so many transactions, seconds."""
        return self._within * (1 + transactions / A_HUNDRED)

    async def _flat(self, position: Position, origins: Sequence[Origin]) -> list[Execution | Unjudged]:
        """From rows and receipts. A transaction whose rows make no whole is traced by itself. Raises Failed.

        Rows are asked for by height: each must name this very block, since a reorg may come between the question and the answer.
        """
        within = self.whole_within(len(origins))
        asked = (("trace_block", [hex(position.height)]), ("eth_getBlockReceipts", [{"blockHash": position.id}]))
        listed, told = await asyncio.gather(*(ask(self._rpc, how, which, within, most=MOST_ROWS) for how, which in asked))
        rows = await self._grouped(listed, position, {o.source: i for i, o in enumerate(origins)})
        logs = await self._logs(told, position, origins)
        made: list[Execution | Unjudged] = []
        for origin, group, ours in zip(origins, rows, logs, strict=True):
            made.append(self._joined(group, ours, origin))
            await self._courtesy.pause()
        again = [i for i, one in enumerate(made) if isinstance(one, Unjudged) and one.reason not in {DEEP, OVERSIZE}]
        for i, one in zip(again, await self._each([origins[i] for i in again]), strict=True):
            made[i] = one
        return made

    async def _grouped(self, listed: bytes, position: Position, places: dict[str, int]) -> list[list[parity.Row] | None]:
        """The rows of each transaction, None for more than is judged. Raises Failed when the rows are not this block's."""
        groups: list[list[parity.Row] | None] = [[] for _ in places]
        sizes = [0] * len(places)
        for raw in decoded(listed, list[msgspec.Raw]):
            row = decoded(raw, parity.Located)
            if (row.block_hash or "").lower() != position.id:
                raise Failed(REFUSED)
            if row.transaction_hash is not None:  # rewards are nobody's
                i = places.get(row.transaction_hash.lower())
                if i is None:
                    raise Failed(REFUSED)
                sizes[i] += len(raw)
                group = groups[i] = None if sizes[i] > MOST_BYTES else groups[i]
                if group is not None:
                    group.append(row)
            await self._courtesy.pause()
        if groups and not any(sizes):
            raise Failed(REFUSED)
        return groups

    async def _logs(self, told: bytes, position: Position, origins: Sequence[Origin]) -> list[list[receipts.ReceiptLog]]:
        """The logs of each transaction. Raises Failed when these are not this block's receipts."""
        listed = decoded(told, list[msgspec.Raw])
        if len(listed) != len(origins):
            raise Failed(REFUSED)
        found = []
        for raw, origin in zip(listed, origins, strict=True):
            receipt = decoded(raw, receipts.Receipt)
            if receipt.block_hash.lower() != position.id or receipt.transaction_hash.lower() != origin.source:
                raise Failed(REFUSED)
            found.append(receipt.logs)
            await self._courtesy.pause()
        return found

    def _joined(self, rows: list[parity.Row] | None, logs: Sequence[receipts.ReceiptLog], origin: Origin) -> Execution | Unjudged:
        if not rows:
            return unjudged(origin, OVERSIZE if rows is None else REFUSED)
        try:
            frames = parity.flatten(rows, self._words)
            return origin.execution(frames, list(receipts.attach(logs, frames, self._words)))
        except TraceUnreadable as error:
            return unjudged(origin, why(error))

    async def _nested(self, position: Position, origins: Sequence[Origin]) -> list[Execution | Unjudged]:
        """The block in one nested answer. Raises Failed when there is none, or not the transactions the block lists."""
        within = self.whole_within(len(origins))
        raw = await ask(self._rpc, "debug_traceBlockByHash", [position.id, calltracer.TRACER], within)
        listed: list[_Traced] = decoded(raw, list[_Traced])
        if len(listed) != len(origins):
            raise Failed(REFUSED)
        if any(one.tx_hash is not None and one.tx_hash.lower() != o.tx for one, o in zip(listed, origins, strict=True)):
            raise Failed(REFUSED)
        made = []
        for one, origin in zip(listed, origins, strict=True):
            made.append(await self._listed(one, origin))
            await self._courtesy.pause()
        return made

    async def _listed(self, one: _Traced, origin: Origin) -> Execution | Unjudged:
        if is_error(one.error) or not one.result:
            return unjudged(origin, LATE if "timeout" in (text(one.error) or "") else REFUSED)
        return await nested(bytes(one.result), origin, self._words)

    async def _each(self, origins: Sequence[Origin], *, patient: bool = False) -> list[Execution | Unjudged]:
        """One call a transaction, all of them within one block's deadline."""
        altogether = self.whole_within(len(origins))
        return await Singly(self._rpc, self._words, within=self._within, altogether=altogether, patient=patient).traced(origins)
