"""Re-entry by design: callbacks that are business as usual. They lower a verdict's structural part, they never hide it."""

from detectors.execution.ledger import Ledger
from detectors.reentrancy.money import Money
from detectors.reentrancy.structure import TRANSFER, TRANSFER_FROM, Structure

CALLBACKS = frozenset(
    (
        "0x10d1e85c",  # uniswapV2Call
        "0x84800812",  # pancakeCall
        "0xfa461e33",  # uniswapV3SwapCallback
        "0xe9cbafb0",  # uniswapV3FlashCallback
        "0x91dd7346",  # unlockCallback, Uniswap V4
        "0x23e30c8b",  # onFlashLoan, ERC-3156
        "0xf04f2707",  # receiveFlashLoan, Balancer
        "0x920f5c84",  # executeOperation, Aave V2
        "0x1b11d0ff",  # executeOperation, Aave V3 simple
        "0xee872558",  # executeOperation, Aave V1
        "0x8b418713",  # callFunction, dYdX
    )
)
"""Whoever receives one of these was lent to on purpose, so standing between is no sign by itself."""

REPAYS = frozenset((TRANSFER, TRANSFER_FROM, "0x573ade81", "0x0e752702", "0x4e4d9fea"))
"""transfer, transferFrom, repay (Aave), repayBorrow (Compound: token, ether)."""

RECEIPTS = frozenset(("0x150b7a02", "0xf23a6e61", "0xbc197c81"))
"""onERC721Received, onERC1155Received, onERC1155BatchReceived: a receiver may pass on at once what it was just handed."""

PASSES_ON = frozenset((TRANSFER, TRANSFER_FROM, "0x42842e0e", "0xb88d4fde", "0xf242432a", "0x2eb2c2d6"))
"""transfer, transferFrom, safeTransferFrom (ERC-721, with and without data), safeTransferFrom and its batch (ERC-1155)."""

LOOKS = 16
"""How often in one transaction the flows of a part of it are worked out to excuse somebody; after that nobody is excused."""


class Design:
    """Excuses for one transaction's pairs, by mechanism: what was called, and what money did in the middle."""

    def __init__(self, structure: Structure, money: Money) -> None:
        self.structure = structure
        self.acts = structure.acts
        self.frames = structure.frames
        self.money = money
        self._left = LOOKS
        self._found: dict[tuple[int, int, int], tuple[bool, bool]] = {}
        self._gave: dict[tuple[int, int], bool] = {}
        self._robbed: dict[str, bool] = {}

    def expected(self, outer: int, inner: int, fellow: int, branch: int) -> bool:
        """Did the contract call back on purpose: a loan or swap callback by its name or its flows, or a receipt passed on?"""
        called, back = self._selector(fellow), self._selector(inner)
        if called is None or self.acts.ctx[self.acts.parent[fellow]] != self.acts.ctx[outer]:
            return False
        direct = self.acts.parent[inner] == fellow
        if called in CALLBACKS:
            return direct or back in REPAYS
        return direct and ((called in RECEIPTS and back in PASSES_ON) or self._flows(outer, fellow, branch)[0])

    def lent_on(self, outer: int, inner: int, fellow: int, branch: int) -> bool:
        """Did the borrower pass its loan on (a smart wallet's desk does), and pay all of it back after the callback?"""
        named = self._selector(branch) in CALLBACKS and fellow != branch
        return named and self.acts.parent[inner] == fellow and self._flows(outer, branch, branch)[0]

    def abused(self, outer: int, branch: int) -> bool:
        """Was something lent in a callback by design, and the contract the poorer for it in the end, with nothing in return?

        A singleton that only pays out what was its user's (Uniswap V4's liquidity) lends nothing before it calls back.
        """
        contract = self.acts.ctx[outer]
        if contract is None or not self._poorer(contract):
            return False
        known = self._gave.get((outer, branch))
        if known is None:
            if not self._left:
                return True
            self._left -= 1
            before = self.money.within(self.acts.entry[outer], self.acts.entry[branch])
            known = self._gave[outer, branch] = any(amount < 0 for amount in before.assets(contract).values())
        return known

    def _poorer(self, contract: str) -> bool:
        if contract not in self._robbed:
            self._robbed[contract] = self.money.robbed(contract)
        return self._robbed[contract]

    def sells_itself(self, outer: int, fellow: int, branch: int) -> bool:
        """A fee token's swap-back: in the middle of a transfer the token calls a router by name, to sell what it holds of itself.

        The router comes back for it; the proceeds go to the token or to whom it names, never to U.
        """
        contract = self.acts.ctx[outer]
        if self._selector(fellow) is None or self.acts.ctx[self.acts.parent[fellow]] != contract:
            return False
        return contract in self.money.assets and self._flows(outer, fellow, branch)[1]

    def _selector(self, act: int) -> str | None:
        return self.frames[self.acts.entry[act]].selector

    def _flows(self, outer: int, fellow: int, branch: int) -> tuple[bool, bool]:
        """(lent and repaid, sold its own), by the flows before, within and after the branch; neither once the looks are spent."""
        known = self._found.get((outer, branch, fellow))
        if known is not None or not self._left:
            return known or (False, False)
        self._left -= 1
        contract, receiver = self.acts.ctx[outer] or "", self.acts.ctx[fellow] or ""
        start, first, last, end = self.acts.entry[outer], self.acts.entry[branch], self._end(branch), self._end(outer)
        before, within, after = (self.money.within(*part) for part in ((start, first), (first, last), (last, end)))
        takers = self.structure.party.union((receiver,)) - {contract}
        found = _lent(before, after, receiver), _sold(within, contract, takers)
        self._found[outer, branch, fellow] = found
        return found

    def _end(self, act: int) -> int:
        """The frame number after the last one of `act` and all nested in it."""
        following = self.acts.last[act] + 1
        return self.acts.entry[following] if following < len(self.acts) else len(self.frames)


def _lent(before: Ledger, after: Ledger, receiver: str) -> bool:
    """The receiver was given something before the callback, and all of it was taken back after: a loan by its flows."""
    given = {asset: amount for asset, amount in before.assets(receiver).items() if amount > 0}
    return bool(given) and all(after.net(asset, receiver) <= -amount for asset, amount in given.items())


def _sold(within: Ledger, contract: str, takers: frozenset[str]) -> bool:
    """The contract gave away only its own token (and ether), and the takers gained nothing."""
    spent = {asset for asset, amount in within.assets(contract).items() if amount < 0}
    return contract in spent <= {contract, "native"} and all(amount <= 0 for amount in within.party_gain(takers).values())
