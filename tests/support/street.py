"""A street of real contracts on a real node, one of each kind that `seawall init` recognises, and some that mean no good."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from monitor.demo.artifacts import Artifact, ours
from monitor.demo.market import Market, open_market
from monitor.demo.node import HttpNode
from monitor.demo.wallet import ETHER, Wallet
from tests.scenarios.solidity import artifact
from tests.support.bytecode import Chain, chain, code, push
from tests.support.parts import ROOT, missing

FIRST_PRICE = 1 << 96
"""Of the V3 pool: one for one."""

HOSTILE = b'x"\n  evil: {chain: \x1b[31m#'


class Street(msgspec.Struct, frozen=True):
    """Addresses by what they are, all lower case."""

    chain: Chain
    wallet: Wallet
    owner: str
    market: Market
    vault: str


def openzeppelin(name: str) -> Artifact:
    """A contract of OpenZeppelin's release of 2020 as published. Skips (in CI: fails) without npm's packages."""
    path = ROOT / "node_modules" / "openzeppelin-3" / "build" / "contracts" / f"{name}.json"
    if not path.exists():
        missing(f"{path.relative_to(ROOT)}; run `make setup`")
    raw = msgspec.json.decode(path.read_bytes())
    return Artifact(name, raw["abi"], raw["bytecode"])


@asynccontextmanager
async def street() -> AsyncIterator[Street]:
    """A market with a pair and a vault of its dollar, on a fresh node."""
    async with chain() as node, HttpNode(node.node.http) as http:
        wallet, owner = Wallet(http), node.me.lower()
        await http.call("anvil_setBalance", [owner, hex(10_000_000 * ETHER)])
        market = await open_market(wallet, owner, ())
        vault = await wallet.deploy(owner, ours("ShareVault"), market.dollar, ETHER)
        yield Street(node, wallet, owner, market, vault)


async def v3_pool(here: Street) -> str:
    """A Uniswap V3 pool of the market's two tokens, from its published bytecode."""
    factory, pool = artifact("UniswapV3Factory"), artifact("UniswapV3Pool")
    at = await here.wallet.deploy(here.owner, factory)
    tokens = (here.market.weth, here.market.dollar, 3000)
    await here.wallet.do(here.owner, at, factory.call("createPool", *tokens), gas=8_000_000)
    made = str(await here.wallet.read(at, factory, "getPool", *tokens)).lower()
    await here.wallet.do(here.owner, made, pool.call("initialize", FIRST_PRICE))
    return made


async def upgradeable(here: Street, code_at: str) -> tuple[str, str]:
    """A transparent proxy (EIP-1967) over this code, and its admin contract, which the owner owns."""
    admin = await here.wallet.deploy(here.owner, openzeppelin("ProxyAdmin"))
    made = await here.wallet.deploy(here.owner, openzeppelin("TransparentUpgradeableProxy"), code_at, admin, b"")
    return made, admin


async def by_beacon(here: Street, code_at: str) -> tuple[str, str]:
    """A proxy that asks a beacon whose code to run, and the beacon."""
    beacon = await here.wallet.deploy(here.owner, openzeppelin("UpgradeableBeacon"), code_at)
    return await here.wallet.deploy(here.owner, openzeppelin("BeaconProxy"), beacon, b""), beacon


async def minimal(here: Street, code_at: str) -> str:
    """A minimal proxy (EIP-1167)."""
    return (await here.chain.deploy("363d3d373d3d3d363d73", code_at[2:], "5af43d82803e903d91602b57fd5bf3")).lower()


async def that_answers_everything(here: Street, text: bytes = HOSTILE) -> str:
    """A contract that returns this text, ABI-encoded, whatever it is asked."""
    words = (32).to_bytes(32, "big") + len(text).to_bytes(32, "big") + text.ljust(32, b"\0")
    stores = b"".join(b"\x7f" + words[at : at + 32] + push(at) + b"\x52" for at in range(0, len(words), 32))
    return (await here.chain.deploy(code(stores, push(len(words)), "5ff3"))).lower()


async def that_answers_with(here: Street, size: int) -> str:
    """A contract that returns so many bytes of nothing, whatever it is asked."""
    return (await here.chain.deploy(code(push(size), "5ff3"))).lower()
