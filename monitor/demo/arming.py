"""Arming an attacker: a fresh account with ether, its contract deployed, and the call that robs written down."""

import hashlib
from collections.abc import Callable

import msgspec
from eth_account import Account

from monitor.demo.artifacts import ours
from monitor.demo.market import Market
from monitor.demo.scenery import (
    BANK_DEPOSITS,
    CROSS_FUNCTION,
    FLASH_LOAN,
    FLASHED,
    NATIVE,
    PRIVATE,
    REENTRANCY,
    SWEEPS,
    Attack,
    Integration,
)
from monitor.demo.wallet import Wallet

_PURSE = 1_000
"""Ether of a fresh attacker: enough for gas and for the deposit a re-entrancy starts from."""


class _Plan(msgspec.Struct, frozen=True):
    """Whose contract robs, by which call, with how much ether, and what else is to be said of it."""

    contract: str
    data: str
    value: int = 0
    transactions: int = 1
    ordered: bool = False


async def arm(wallet: Wallet, market: Market, integration: Integration, kind: str) -> Attack:
    """Prepare the attack `kind` on an integration built for it. The account is the attack's own: funder, key and nonce."""
    secret = "0x" + hashlib.sha256(f"seawall show attacker {integration.id}".encode()).hexdigest()
    attacker = str(Account.from_key(secret).address).lower()
    await wallet.adopt(attacker, _PURSE)
    plan = _PLANS[kind](market, integration)
    contract = await wallet.deploy(attacker, ours(plan.contract))
    return Attack(
        name=kind,
        integration=integration.id,
        attacker=attacker,
        contract=contract,
        data=plan.data,
        victim=integration.victim,
        asset=next(iter(integration.contracts[0].assets), NATIVE),
        value=plan.value,
        transactions=plan.transactions,
        private=kind == PRIVATE,
        ordered=plan.ordered,
        key=secret,
    )


def _reentrancy(_: Market, bank: Integration) -> _Plan:
    """Deposit a twentieth and withdraw it until the bank is empty."""
    data = ours("ReentrancyAttacker").call("drain", bank.victim, 21)
    return _Plan("ReentrancyAttacker", data, value=BANK_DEPOSITS // 20)


def _cross_function(_: Market, bank: Integration) -> _Plan:
    """Deposit 2 % and get it twice: too shallow for the call tree and too small for any flow limit. Only storage order tells."""
    data = ours("ReentrancyAttacker").call("split", bank.victim)
    return _Plan("ReentrancyAttacker", data, value=BANK_DEPOSITS // 50, ordered=True)


def _flash_loan(market: Market, lender: Integration) -> _Plan:
    """Borrow from the deep pool, lift the price of the lender's coin, borrow all it has."""
    _, pool = lender.contracts
    plan = (market.pair, pool.address, lender.victim, market.dollar, pool.assets[1], FLASHED)
    return _Plan("FlashLoanAttacker", ours("FlashLoanAttacker").call("drain", plan))


def _private(_: Market, vault: Integration) -> _Plan:
    """Name itself the vault's strategy, one block's limit at a time."""
    return _Plan("SweepAttacker", ours("SweepAttacker").call("sweep", vault.victim), transactions=SWEEPS)


_PLANS: dict[str, Callable[[Market, Integration], _Plan]] = {
    REENTRANCY: _reentrancy,
    CROSS_FUNCTION: _cross_function,
    FLASH_LOAN: _flash_loan,
    PRIVATE: _private,
}
