"""Balances before the transaction, as far as the transaction itself tells: what it read, less what had moved by then.

Told by BALANCE steps, by what `balanceOf` returned, and by token slots whose change equals a Transfer. What the shell gathered
(`Context.balances`) is never overruled. A rebasing token can mislead; a missing balance stays missing.
"""

import msgspec

from detectors.execution.frames import CALL, CREATE, CREATE2, SELFDESTRUCT, Access, Execution, Frame, Log
from detectors.execution.ledger import DEPOSIT, MOVES_TOKENS, NATIVE, TRANSFER, WITHDRAWAL

BALANCE_OF = "0x70a08231"
TRANSFER_FROM = "0x23b872dd"
MOVES_ETHER = frozenset((CALL, CREATE, CREATE2, SELFDESTRUCT))


class _Holdings:
    """Running net flows, and every balance that was seen for the first time, brought back to the start."""

    def __init__(self, execution: Execution) -> None:
        self.frames = execution.frames
        self.logged = execution.logged
        self.net: dict[tuple[str, str], int] = {}
        self.before: dict[str, dict[str, int]] = {}
        self.slots: dict[int, dict[int, tuple[int, int]]] = {}
        self.loads: dict[int, dict[int, int]] = {}

    def frame(self, frame: Frame) -> None:
        if not frame.alive:
            return
        if frame.value and frame.type in MOVES_ETHER:
            target = frame.to if frame.type == SELFDESTRUCT else frame.ctx
            self._move(NATIVE, frame.sender if frame.parent < 0 else self.frames[frame.parent].ctx, target, frame.value)
        if frame.selector == BALANCE_OF and frame.ctx is not None and frame.input is not None and len(frame.input) >= 74:
            amount = _word(frame.output)
            if amount is not None:
                self._saw(frame.ctx, "0x" + frame.input[34:74], amount)
        if not self.logged and frame.selector in MOVES_TOKENS and frame.input is not None and frame.ctx == frame.to:
            self._called(frame, frame.input)

    def _called(self, frame: Frame, data: str) -> None:
        """Where no logs were recorded: what the call says it moves."""
        first, amount = "0x" + data[34:74], _word("0x" + data[-64:])
        caller = self.frames[frame.parent].ctx if frame.parent >= 0 else frame.sender
        if amount and frame.ctx is not None and len(data) >= 10 + 64 * MOVES_TOKENS[frame.selector or ""]:
            if frame.selector == TRANSFER_FROM:
                self._move(frame.ctx, first, "0x" + data[98:138], amount)
            else:
                self._move(frame.ctx, caller, first, amount)

    def step(self, step: Access | Log) -> None:
        if not self.frames[step.frame].alive:
            return
        if isinstance(step, Log):
            self._log(step)
        elif step.op == "balance" and step.address is not None:
            self._saw(NATIVE, step.address, step.value)
        elif step.op == "sload":
            self.loads.setdefault(step.frame, {})[step.slot] = step.value
        elif step.op == "sstore":
            was = self.loads.get(step.frame, {}).get(step.slot)
            if was is not None:
                self.slots.setdefault(step.frame, {})[step.slot] = (was, step.value)
                self.loads[step.frame][step.slot] = step.value

    def _log(self, log: Log) -> None:
        amount = _word(log.data)
        if not amount or len(log.topics) < 2:
            return
        if log.topics[0] in (DEPOSIT, WITHDRAWAL):
            holder = "0x" + log.topics[1][-40:]
            source, target = (None, holder) if log.topics[0] == DEPOSIT else (holder, None)
            self._move(log.address, source, target, amount)
            return
        if len(log.topics) != 3 or log.topics[0] != TRANSFER:
            return
        payer, payee = "0x" + log.topics[1][-40:], "0x" + log.topics[2][-40:]
        changes = list(self.slots.pop(log.frame, {}).values())
        self._match([was for was, now in changes if was - now == amount], log.address, payer)
        self._match([was for was, now in changes if now - was == amount], log.address, payee)
        self._move(log.address, payer, payee, amount)

    def _match(self, found: list[int], token: str, holder: str) -> None:
        """Exactly one slot of the token changed by the amount moved: it is the holder's. Several could be anything."""
        if len(found) == 1:
            self._saw(token, holder, found[0])

    def _move(self, asset: str, source: str | None, target: str | None, amount: int) -> None:
        for holder, change in ((source, -amount), (target, amount)):
            if holder is not None:
                self.net[asset, holder] = self.net.get((asset, holder), 0) + change

    def _saw(self, asset: str, holder: str, amount: int) -> None:
        before = amount - self.net.get((asset, holder), 0)
        if before >= 0:
            self.before.setdefault(asset, {}).setdefault(holder, before)


def _word(text: str | None) -> int | None:
    try:
        return int(text[2:66], 16) if text is not None else None
    except ValueError:
        return None


def with_holdings(execution: Execution) -> Execution:
    """The execution with every balance before it that can be told from its own trace, added to its context."""
    found = _Holdings(execution)
    for i, step in execution.walk():
        if step is None:
            found.frame(execution.frames[i])
        else:
            found.step(step)
    balances = found.before
    for asset, held in execution.context.balances.items():
        balances.setdefault(asset, {}).update(held)
    context = msgspec.structs.replace(execution.context, balances=balances)
    return msgspec.structs.replace(execution, context=context)
