"""The market of the show: Uniswap V2 from its published bytecode, wrapped ether, a dollar, and a deep pool of the two."""

import msgspec

from monitor.demo.artifacts import ours, uniswap
from monitor.demo.wallet import ETHER, Wallet

FOREVER = 2**40
"""A deadline nobody reaches, unix seconds."""

POOL_ETHER = 5_000 * ETHER
POOL_DOLLARS = 15_000_000 * ETHER
_EACH = 100_000_000 * ETHER
_UNLIMITED = 2**256 - 1
_PAIR_GAS = 5_000_000


class Market(msgspec.Struct, frozen=True):
    """Addresses, lower case. `pair` is the WETH/dollar pool."""

    weth: str
    factory: str
    router: str
    dollar: str
    pair: str


async def open_market(wallet: Wallet, owner: str, accounts: tuple[str, ...]) -> Market:
    """Deploy it all; every account gets dollars and lets the router spend them. `owner` provides the liquidity."""
    token, router_code = ours("Token"), uniswap("UniswapV2Router02")
    weth = await wallet.deploy(owner, uniswap("WETH9"))
    factory = await wallet.deploy(owner, uniswap("UniswapV2Factory"), owner)
    router = await wallet.deploy(owner, router_code, factory, weth)
    dollar = await wallet.deploy(owner, token, "Show dollar", "DLR")
    for account in (owner, *accounts):
        await wallet.do(owner, dollar, token.call("mint", account, _EACH))
        await wallet.do(account, dollar, token.call("approve", router, _UNLIMITED))
    add = router_code.call("addLiquidityETH", dollar, POOL_DOLLARS, 1, 1, owner, FOREVER)
    await wallet.do(owner, router, add, value=POOL_ETHER, gas=_PAIR_GAS)
    pair = await pair_of(wallet, factory, weth, dollar)
    await share_liquidity(wallet, owner, router, pair, accounts)
    return Market(weth, factory, router, dollar, pair)


async def open_pair(wallet: Wallet, owner: str, market: Market, coin: str, amount: int) -> str:
    """A pool of `amount` coins against as many dollars, both of the owner's. `coin` is one of our tokens, minted by `owner`."""
    token = ours("Token")
    await wallet.do(owner, coin, token.call("mint", owner, amount))
    await wallet.do(owner, coin, token.call("approve", market.router, _UNLIMITED))
    add = uniswap("UniswapV2Router02").call(
        "addLiquidity", coin, market.dollar, amount, amount, 1, 1, owner, FOREVER
    )  # fmt: skip
    await wallet.do(owner, market.router, add, gas=_PAIR_GAS)
    return await pair_of(wallet, market.factory, coin, market.dollar)


async def pair_of(wallet: Wallet, factory: str, one: str, other: str) -> str:
    """Address of the pool of two tokens."""
    return str(await wallet.read(factory, uniswap("UniswapV2Factory"), "getPair", one, other)).lower()


async def share_liquidity(wallet: Wallet, owner: str, router: str, pair: str, accounts: tuple[str, ...]) -> None:
    """Split the pool's shares evenly between owner and accounts, and let the router burn the accounts'."""
    code = uniswap("UniswapV2Pair")
    part = int(await wallet.read(pair, code, "balanceOf", owner)) // (len(accounts) + 1)
    for account in accounts:
        await wallet.do(owner, pair, code.call("transfer", account, part))
        await wallet.do(account, pair, code.call("approve", router, _UNLIMITED))
