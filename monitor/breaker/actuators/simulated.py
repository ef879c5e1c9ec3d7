"""A pause as a plain call, simulated at the head: is the role still there, is it paid for, does nothing stand in its way?"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from alerts.text import from_chain
from monitor.breaker.actuators.base import Check, Head, Readiness, Target, judged
from monitor.errors import NodeError, RpcRefused

WITHIN = 4.0
"""Seconds an answer may take."""

MARGIN = 1.25
"""What the balance must hold over the predicted cost: the fee may rise before it is mined."""

STUCK_AFTER = 3
"""Blocks after which a transaction of the sender that is still waiting stands in the way."""

SAFE_GAS, SIGNATURE_GAS = 60_000, 10_000
"""What a Safe's `execTransaction` adds to the call at most, and for each signature it checks."""

MOST_OWNERS = 32
"""Owners of a Safe whose balances are looked at."""

_PAUSED, _THRESHOLD, _OWNERS = "0x5c975abb", "0xe75235b8", "0xa0e67e2b"
"""`paused()` of OpenZeppelin's Pausable, `getThreshold()` and `getOwners()` of a Safe."""


class Caller(Protocol):
    """Anything that makes JSON-RPC calls."""

    async def call(self, method: str, params: Sequence[Any] = (), *, timeout: float) -> Any:  # noqa: ANN401, ASYNC109
        """One call. Raises a NodeError."""


class Simulated:
    """A target's readiness by `eth_call`. `price` gives the predicted wei per gas of soon being mined; None: not known.

    Without a prediction twice the base fee counts, which six full blocks on end do not exceed (EIP-1559).
    """

    def __init__(self, target: Target, rpc: Caller, price: Callable[[], int | None], *, pinned: bool = True) -> None:
        self.target = target
        self.rpc = rpc
        self.price = price
        self.pinned = pinned
        self._waiting: tuple[int, int] | None = None
        """The nonce of a transaction that waits, and the height it was first seen waiting at."""

    async def readiness(self, head: Head) -> Readiness:
        """Would it work if it were sent now?"""
        at = {"blockHash": head.position.id, "requireCanonical": True} if self.pinned else hex(head.position.height)
        checks = [self._window(head.at), await self._code(at), await self._call(at)]
        if self.target.safe:
            checks += await self._safe(at, head)
        else:
            checks += [await self._balance(at, head, (self.target.sender,)), await self._nonce(head, self.target.sender)]
        return judged(self.target, head, tuple(checks))

    def _window(self, now: float) -> Check:
        until = self.target.expires_at
        if until is not None and now >= until:
            return Check("window", ok=False, told="the window in which the sender may pause has ended")
        return Check("window", ok=True, told="open" if until is None else f"open for {until - now:.0f} s")

    async def _code(self, at: object) -> Check:
        try:
            code = await self._ask("eth_getCode", [self.target.contract, at])
        except NodeError as error:
            return Check("code", ok=None, told=f"whether there is a contract is unknown: {error}")
        there = isinstance(code, str) and len(code) > len("0x")
        return Check("code", ok=there, told="" if there else f"no contract at {self.target.contract}")

    async def _call(self, at: object) -> Check:
        target = self.target
        try:
            await self._ask("eth_call", [{"from": target.sender, "to": target.contract, "data": target.function}, at])
        except RpcRefused as refused:
            if await self._paused(at):
                return Check("call", ok=True, told="it is paused already")
            return Check("call", ok=False, told=f"{target.function} by {target.sender} reverts: {from_chain(str(refused), 200)}")
        except NodeError as error:
            return Check("call", ok=None, told=f"whether it would succeed is unknown: {error}")
        return Check("call", ok=True, told="it succeeds")

    async def _paused(self, at: object) -> bool:
        try:
            told = await self._ask("eth_call", [{"to": self.target.contract, "data": _PAUSED}, at])
            return int(str(told), 16) == 1
        except (NodeError, ValueError):
            return False

    async def _balance(self, at: object, head: Head, payers: Sequence[str], more_gas: int = 0) -> Check:
        """Can one of these pay for the call and so much gas more?"""
        target = self.target
        ask = {"from": target.sender, "to": target.contract, "data": target.function}
        try:
            balances = [int(str(await self._ask("eth_getBalance", [payer, at])), 16) for payer in payers]
            gas = more_gas + int(str(await self._ask("eth_estimateGas", [ask])), 16)
        except RpcRefused:
            return Check("balance", ok=True, told="what it would cost is not known while it reverts")
        except (NodeError, ValueError) as error:
            return Check("balance", ok=None, told=f"whether it can be paid for is unknown: {from_chain(str(error), 200)}")
        price = self.price() or 2 * (head.base_fee or 0)
        needs, has = int(gas * price * MARGIN), max(balances, default=0)
        if has >= max(needs, 1):
            return Check("balance", ok=True, told=f"{has} wei, {needs} needed")
        who = payers[0] if len(payers) == 1 else f"the richest of {len(payers)} owners"
        return Check("balance", ok=False, told=f"{who} has {has} wei, and {needs} are needed for {gas} gas")

    async def _nonce(self, head: Head, sender: str) -> Check:
        try:
            mined = int(str(await self._ask("eth_getTransactionCount", [sender, "latest"])), 16)
            known = int(str(await self._ask("eth_getTransactionCount", [sender, "pending"])), 16)
        except (NodeError, ValueError) as error:
            return Check("nonce", ok=None, told=f"the sender's nonce is unknown: {from_chain(str(error), 200)}")
        if known <= mined:
            self._waiting = None
            return Check("nonce", ok=True, told=f"{mined} is next")
        if self._waiting is None or self._waiting[0] != mined:
            self._waiting = (mined, head.position.height)
        blocks = head.position.height - self._waiting[1]
        told = f"its transaction {mined} has been waiting for {blocks} blocks"
        return Check("nonce", ok=blocks < STUCK_AFTER, told=told)

    async def _safe(self, at: object, head: Head) -> list[Check]:
        """Has it owners enough to sign, and is there somebody to carry it out?"""
        safe, executor = self.target.sender, self.target.executor
        try:
            needed = int(str(await self._ask("eth_call", [{"to": safe, "data": _THRESHOLD}, at])), 16)
            owners = _addresses(str(await self._ask("eth_call", [{"to": safe, "data": _OWNERS}, at])))
        except (RpcRefused, ValueError):
            needed, owners = 0, []
        except NodeError as error:
            return [Check("safe", ok=None, told=f"whether the sender is a Safe is unknown: {error}")]
        if not needed or not owners:
            return [Check("safe", ok=False, told=f"{safe} is no Safe")]
        told = f"{needed} of its {len(owners)} owners must sign"
        checks = [Check("safe", ok=needed <= len(owners), told=told)]
        payers = owners[:MOST_OWNERS] if executor is None else [executor]
        checks.append(await self._balance(at, head, payers, SAFE_GAS + needed * SIGNATURE_GAS))
        return checks if executor is None else [*checks, await self._nonce(head, executor)]

    async def _ask(self, method: str, params: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON
        return await self.rpc.call(method, params, timeout=WITHIN)


def _addresses(answer: str) -> list[str]:
    """A list of addresses as the ABI writes it. Raises ValueError for anything else.

    >>> _addresses("0x" + f"{32:064x}{1:064x}{0xab:064x}")
    ['0x00000000000000000000000000000000000000ab']
    """
    words = [answer[at : at + 64] for at in range(2, len(answer), 64)]
    if len(words) < 2 or int(words[0], 16) != 32 or int(words[1], 16) != len(words) - 2:
        raise ValueError(f"no list of addresses: {answer[:100]!r}")
    return [f"0x{int(word, 16) % 2**160:040x}" for word in words[2:]]
