"""Pool kinds read from real contracts on a real node, pinned to a block by hash."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from eth_utils.crypto import keccak

from detectors.events import PoolState, Position
from monitor.config.layout import PoolKind
from monitor.demo.artifacts import ours, uniswap
from monitor.demo.market import FOREVER, Market, open_market
from monitor.demo.node import HttpNode
from monitor.demo.wallet import ETHER, Wallet
from monitor.errors import NodeError
from monitor.feeds.pools import KINDS, Pools, base, curve, erc4626, uniswap_v2, uniswap_v3
from monitor.feeds.pools.base import NATIVE, Pool, account, number
from monitor.feeds.pools.erc4626 import Erc4626
from monitor.feeds.pools.holdings import Holdings
from monitor.feeds.pools.strangers import DISCOVERED
from monitor.feeds.pools.uniswap_v2 import UniswapV2
from tests.support.bytecode import CHAIN, HASHES, Chain, chain
from tests.support.executions import address

SIGNATURES = {
    base.BALANCE_OF: "balanceOf(address)",
    base.TOTAL_SUPPLY: "totalSupply()",
    uniswap_v2.TOKEN0: "token0()",
    uniswap_v2.TOKEN1: "token1()",
    uniswap_v2.FACTORY: "factory()",
    uniswap_v2.FEE_TO: "feeTo()",
    uniswap_v2.GET_RESERVES: "getReserves()",
    uniswap_v2.K_LAST: "kLast()",
    erc4626.ASSET: "asset()",
    erc4626.TOTAL_ASSETS: "totalAssets()",
    uniswap_v3.SLOT0: "slot0()",
    uniswap_v3.LIQUIDITY: "liquidity()",
    uniswap_v3.FEES0: "feeGrowthGlobal0X128()",
    uniswap_v3.FEES1: "feeGrowthGlobal1X128()",
    curve.COINS: "coins(uint256)",
    curve.COINS_OLD: "coins(int128)",
    curve.BALANCES: "balances(uint256)",
    curve.BALANCES_OLD: "balances(int128)",
    curve.VIRTUAL_PRICE: "get_virtual_price()",
    curve.TOKEN: "token()",
    curve.LP_TOKEN: "lp_token()",
}


@pytest.mark.parametrize(("selector", "signature"), SIGNATURES.items())
def test_selectors_are_those_of_their_signatures(selector: str, signature: str) -> None:
    assert selector == "0x" + keccak(text=signature)[:4].hex()


@pytest.mark.parametrize("answer", [None, "", "0x", "0x" + "00" * 31, "0xzz" + "00" * 31])
def test_an_answer_that_is_no_word_is_unknown(answer: str | None) -> None:
    assert account(answer) is None
    assert number(answer, 1) is None


class Street:
    """A market with its owner, on a node with a connection."""

    def __init__(self, node: Chain, wallet: Wallet, market: Market) -> None:
        self.node, self.wallet, self.market = node, wallet, market
        self.owner = node.me.lower()

    async def head(self) -> Position:
        block = await self.node.ask("eth_getBlockByNumber", "latest", HASHES)
        return Position(int(block["number"], 16), block["hash"], block["parentHash"])

    def pools(self, *pools: Pool) -> Pools:
        return Pools(self.node.rpc, CHAIN, pools)


@asynccontextmanager
async def street() -> AsyncIterator[Street]:
    async with chain() as node, HttpNode(node.node.http) as http:
        wallet = Wallet(http)
        await http.call("anvil_setBalance", [node.me, hex(10_000_000 * ETHER)])
        yield Street(node, wallet, await open_market(wallet, node.me.lower(), ()))


async def one(pools: Pools, position: Position) -> PoolState:
    (state,) = await pools.read(position, 1.0)
    return state


async def test_a_pair_is_read_with_reserves_supply_and_the_fee_that_is_minted() -> None:
    async with street() as here:
        market, wallet, pair = here.market, here.wallet, uniswap("UniswapV2Pair")
        pools = here.pools(UniswapV2(market.pair))
        before = await one(pools, await here.head())
        assert before.supply == await wallet.read(market.pair, pair, "totalSupply")
        assert set(before.reserves) == {market.weth, market.dollar}
        assert before.reserves[market.weth] == await wallet.holding(market.pair, market.weth)
        assert before.extra == {"k_last": 0, "fee_shares": 0}

        fees = address("fees")
        await wallet.do(here.owner, market.factory, uniswap("UniswapV2Factory").call("setFeeTo", fees))
        changed = await one(pools, await here.head())
        assert changed.extra == {"k_last": 0}, "whose shares they were before is unknown"
        router, code = market.router, uniswap("UniswapV2Router02")
        add = code.call("addLiquidityETH", market.dollar, 3_000 * ETHER, 1, 1, here.owner, FOREVER)
        await wallet.do(here.owner, router, add, value=ETHER)  # the pair takes note of k
        swap = code.call("swapExactETHForTokens", 1, [market.weth, market.dollar], here.owner, FOREVER)
        await wallet.do(here.owner, router, swap, value=100 * ETHER)
        await wallet.do(here.owner, router, add, value=ETHER)  # and mints the fee on what k grew
        after = await one(pools, await here.head())
        assert after.extra["k_last"] == await wallet.read(market.pair, pair, "kLast") > 0
        assert after.extra["fee_shares"] == await wallet.read(market.pair, pair, "balanceOf", fees) > 0


async def test_a_read_is_of_the_block_it_names_not_of_the_newest() -> None:
    async with street() as here:
        market, then = here.market, await here.head()
        pools = here.pools(UniswapV2(market.pair))
        earlier = await one(pools, then)
        swap = uniswap("UniswapV2Router02").call("swapExactETHForTokens", 1, [market.weth, market.dollar], here.owner, FOREVER)
        await here.wallet.do(here.owner, market.router, swap, value=100 * ETHER)
        later = await one(pools, await here.head())
        again = await one(pools, then)
        assert again == earlier
        assert later.reserves[market.weth] == earlier.reserves[market.weth] + 100 * ETHER
        unknown = Position(then.height, "0x" + "99" * 32)
        try:
            assert await pools.read(unknown, 1.0) == []
        except NodeError:
            return
        assert pools.unread == {market.pair}


async def test_a_vault_is_read_with_what_it_holds_and_what_it_accounts_for() -> None:
    async with street() as here:
        wallet, dollar = here.wallet, here.market.dollar
        token, shares = ours("Token"), ours("ShareVault")
        vault = await wallet.deploy(here.owner, shares, dollar, 10**30)
        await wallet.do(here.owner, dollar, token.call("approve", vault, 2**256 - 1))
        await wallet.do(here.owner, vault, shares.call("deposit", 500 * ETHER, here.owner))
        state = await one(here.pools(Erc4626(vault)), await here.head())
        assert state.reserves == {dollar: 500 * ETHER}
        assert state.supply == await wallet.read(vault, shares, "totalSupply")
        assert state.extra == {"total_assets": await wallet.read(vault, shares, "totalAssets")}


async def test_holdings_follow_a_token_that_was_seen_to_arrive() -> None:
    async with street() as here:
        dollar, bank = here.market.dollar, await here.wallet.deploy(here.owner, ours("Bank"))
        await here.wallet.do(here.owner, bank, ours("Bank").call("deposit"), value=7)
        await here.wallet.do(here.owner, dollar, ours("Token").call("transfer", bank, 9))
        pools = here.pools(Holdings(bank))
        assert (await one(pools, await here.head())).reserves == {NATIVE: 7}
        pools.saw(dollar, bank)
        pools.saw(here.market.router, bank)  # no token at all
        assert (await one(pools, await here.head())).reserves == {NATIVE: 7, dollar: 9}


async def test_only_touched_contracts_are_read_and_each_in_its_turn() -> None:
    async with street() as here:
        market = here.market
        pools = Pools(here.node.rpc, CHAIN, [UniswapV2(market.pair), Holdings(market.weth)], every=1_000)
        first = Position(1500, (await here.head()).id)
        assert len(await pools.read(first, 1.0, touched=())) == 2, "what was never read is read"
        assert await pools.read(first, 1.0, touched=()) == []
        assert [s.pool for s in await pools.read(first, 1.0, touched={market.pair})] == [market.pair]
        assert [s.pool for s in await pools.read(Position(2000, first.id), 1.0, touched=())] == [market.pair]
        assert [s.pool for s in await pools.read(Position(3001, first.id), 1.0, touched=())] == [market.weth]


async def test_a_contract_that_is_no_pool_is_unread_and_harms_no_other() -> None:
    async with street() as here:
        pools = here.pools(UniswapV2(here.market.router), Erc4626(here.market.dollar), UniswapV2(here.market.pair))
        assert [s.pool for s in await pools.read(await here.head(), 1.0)] == [here.market.pair]
        assert pools.unread == {here.market.router, here.market.dollar}


def test_worthless_tokens_cannot_fill_the_memory() -> None:
    holdings = Holdings("0x" + "11" * 20, assets=("0x" + "22" * 20,))
    for i in range(10 * DISCOVERED):
        holdings.saw(f"0x{i:040x}")
    assert len(holdings.calls()) == 2 + DISCOVERED


def test_every_kind_is_known_by_its_name() -> None:
    assert {name: kind.kind for name, kind in KINDS.items()} == {name: name for name in KINDS}
    assert set(KINDS) == set(PoolKind)
