"""Staging: real Uniswap V2, a bank, lenders and a share vault with their holes, and one armed attacker for each.

Everything honest is deployed while the chain's clock stands in the past; then the clock jumps to now and the attackers deploy.
So protocols are old and attackers are new, as they are in life.
"""

import asyncio

from monitor.demo.arming import arm
from monitor.demo.artifacts import ours
from monitor.demo.market import Market, open_market, open_pair
from monitor.demo.node import Node
from monitor.demo.scenery import (
    BANK_DEPOSITS,
    BLOCK_LIMIT,
    CROSS_FUNCTION,
    FLASH_LOAN,
    LENT,
    POOLED,
    PRIVATE,
    PUBLIC_ATTACKS,
    REENTRANCY,
    VAULT_DEPOSITS,
    Attack,
    Contract,
    Integration,
    Stage,
)
from monitor.demo.wallet import ETHER, Wallet

AGE = 40 * 86_400
"""How old the honest contracts are when the show begins, seconds."""

_AT_ONCE = 6


def node_options(now: float) -> tuple[str, ...]:
    """How to start anvil for the show: its first block lies `AGE` before `now` (unix seconds)."""
    return ("--timestamp", str(int(now) - AGE), "--gas-limit", "60000000")


async def stage(
    node: Node, now: float, *, count: int = 2, kinds: tuple[str, ...] = PUBLIC_ATTACKS, private: bool = True
) -> Stage:
    """Deploy `count` integrations with one public attack each (kinds in turn) and, if `private`, the vault and its sweeper.

    The node mines each transaction at once (automine) and was started with `node_options`. Raises SeawallError when a step
    reverts.
    """
    wallet = Wallet(node)
    owner, treasury, *actors = (str(account).lower() for account in await node.call("eth_accounts", []))
    actors = actors[:4]
    for account in (owner, treasury, *actors):
        await node.call("anvil_setBalance", [account, hex(10_000_000 * ETHER)])
    market = await open_market(wallet, owner, (treasury, *actors))
    plots = [kinds[i % len(kinds)] for i in range(count)] + ([PRIVATE] if private else [])
    several = asyncio.Semaphore(_AT_ONCE)

    async def set_up(number: int, kind: str) -> Integration:
        async with several:
            name, build = _VICTIMS[kind]
            users = actors if plots.index(kind) == number - 1 else actors[:1]  # traffic uses the first of each kind
            return await build(wallet, owner, market, f"{name}-{number}", (treasury, *users))

    integrations = await asyncio.gather(*(set_up(number, kind) for number, kind in enumerate(plots, 1)))
    swapper = await wallet.deploy(owner, ours("FlashSwapper"))
    await wallet.do(owner, market.dollar, ours("Token").call("mint", swapper, 100_000 * ETHER))
    await _jump(node, now)

    async def arm_one(integration: Integration, kind: str) -> Attack:
        async with several:
            return await arm(wallet, market, integration, kind)

    attacks = await asyncio.gather(*(arm_one(i, kind) for i, kind in zip(integrations, plots, strict=True)))
    pool = Integration("market-pool", (Contract(market.pair, "uniswap_v2", "pool", (market.weth, market.dollar)),))
    pools = [c for i in (pool, *integrations) for c in i.contracts if c.role == "pool"]
    coins = {asset: None for each in pools for asset in each.assets}
    trusted = (market.factory, market.router, swapper, *coins, *(each.address for each in pools))
    return Stage(market, (pool, *integrations), tuple(attacks), trusted, tuple(actors), treasury, swapper)


async def _jump(node: Node, now: float) -> None:
    """Bring the chain's clock to now, if it is behind."""
    head = await node.call("eth_getBlockByNumber", ["latest", False])
    if int(head["timestamp"], 16) < int(now):
        await node.call("evm_setNextBlockTimestamp", [int(now)])
    await node.call("evm_mine", [])


async def _bank(wallet: Wallet, owner: str, _: Market, name: str, accounts: tuple[str, ...]) -> Integration:
    bank = await wallet.deploy(owner, ours("Bank"))
    data, share = ours("Bank").call("deposit"), BANK_DEPOSITS // len(accounts)
    await asyncio.gather(*(wallet.do(account, bank, data, value=share) for account in accounts))
    return Integration(name, (Contract(bank, "holdings", "vault", ()),))


async def _lender(wallet: Wallet, owner: str, market: Market, name: str, accounts: tuple[str, ...]) -> Integration:
    token, lend = ours("Token"), ours("Lender")
    coin = await wallet.deploy(owner, token, f"Coin of {name}", "COIN")
    pair = await open_pair(wallet, owner, market, coin, POOLED)
    lender = await wallet.deploy(owner, lend, market.dollar, coin, pair)
    await wallet.do(owner, market.dollar, token.call("mint", lender, LENT))
    for account in accounts[1:]:
        await wallet.do(owner, coin, token.call("mint", account, 1_000_000 * ETHER))
        for spender in (lender, market.router):
            await wallet.do(account, coin, token.call("approve", spender, 2**256 - 1))
        await wallet.do(account, market.dollar, token.call("approve", lender, 2**256 - 1))
        await wallet.do(account, lender, lend.call("deposit", 50_000 * ETHER))
    money = Contract(lender, "holdings", "lender", (market.dollar, coin))
    return Integration(name, (money, Contract(pair, "uniswap_v2", "pool", (market.dollar, coin))))


async def _vault(wallet: Wallet, owner: str, market: Market, name: str, accounts: tuple[str, ...]) -> Integration:
    token, shares = ours("Token"), ours("ShareVault")
    vault = await wallet.deploy(owner, shares, market.dollar, BLOCK_LIMIT)
    treasury, *others = accounts
    deposits = {treasury: VAULT_DEPOSITS // 10} | dict.fromkeys(others, VAULT_DEPOSITS * 9 // 10 // len(others))
    for account, amount in deposits.items():
        await wallet.do(account, market.dollar, token.call("approve", vault, 2**256 - 1))
        await wallet.do(account, vault, shares.call("deposit", amount, account))
    return Integration(name, (Contract(vault, "erc4626", "vault", (market.dollar,)),))


_VICTIMS = {
    REENTRANCY: ("bank", _bank),
    CROSS_FUNCTION: ("bank", _bank),
    FLASH_LOAN: ("lender", _lender),
    PRIVATE: ("vault", _vault),
}
