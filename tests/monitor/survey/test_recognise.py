"""What stands at an address: real contracts of every kind on a real node, and contracts that claim to be what they are not."""

from typing import Any

import msgspec
import pytest
from eth_utils.crypto import keccak

from detectors.events import Position
from monitor.errors import NodeError
from monitor.survey import Found, Wanted, proxies, reads, recognise, visit
from monitor.survey.recognise import FEE, GET_PAIR, GET_POOL, PAUSED
from tests.scenarios.solidity import artifact
from tests.support.bytecode import CHAIN, HASHES
from tests.support.fault_proxy import FaultProxy
from tests.support.street import (
    Street,
    by_beacon,
    minimal,
    openzeppelin,
    street,
    that_answers_everything,
    that_answers_with,
    upgradeable,
    v3_pool,
)

SELECTORS = {
    reads.OWNER: "owner()", reads.SYMBOL: "symbol()", reads.DECIMALS: "decimals()",
    proxies.BEACONS_IMPLEMENTATION: "implementation()", GET_PAIR: "getPair(address,address)",
    GET_POOL: "getPool(address,address,uint24)", FEE: "fee()", PAUSED: "paused()",
}  # fmt: skip
LESS_ONE = {
    proxies.IMPLEMENTATION: "eip1967.proxy.implementation", proxies.ADMIN: "eip1967.proxy.admin",
    proxies.BEACON: "eip1967.proxy.beacon",
}  # fmt: skip
SLOTS = {
    proxies.PROXIABLE: "PROXIABLE", proxies.OLD_IMPLEMENTATION: "org.zeppelinos.proxy.implementation",
    proxies.OLD_ADMIN: "org.zeppelinos.proxy.admin",
}  # fmt: skip


def test_selectors_and_slots_are_those_of_their_names() -> None:
    assert {selector: "0x" + keccak(text=name)[:4].hex() for selector, name in SELECTORS.items()} == {s: s for s in SELECTORS}
    assert {slot: f"0x{int.from_bytes(keccak(text=name)) - 1:064x}" for slot, name in LESS_ONE.items()} == {
        s: s for s in LESS_ONE
    }
    assert {slot: "0x" + keccak(text=name).hex() for slot, name in SLOTS.items()} == {slot: slot for slot in SLOTS}


async def look(here: Street, address: str) -> Found:
    block = await here.chain.ask("eth_getBlockByNumber", "latest", HASHES)
    at = Position(int(block["number"], 16), block["hash"], block["parentHash"])
    return await recognise(here.chain.rpc, CHAIN, address, at)


async def test_pairs_pools_vaults_and_tokens_are_told_apart_with_what_they_hold() -> None:
    async with street() as here:
        market = here.market
        pair, pool = await look(here, market.pair), await look(here, await v3_pool(here))
        vault, token = await look(here, here.vault), await look(here, market.dollar)
        curve = await look(here, await here.wallet.deploy(here.owner, artifact("TwoCoinPool"), market.dollar, market.weth))
    assert (pair.kind, pair.role, {one.symbol for one in pair.assets}) == ("uniswap_v2", "pool", {"WETH", "DLR"})
    assert {one.decimals for one in pair.assets} == {18}
    assert [note.partition(" ")[0] for note in pair.notes] == ["its"]
    assert f"its factory {market.factory} knows it" in pair.notes[0]
    assert (pool.kind, {one.address for one in pool.assets}) == ("uniswap_v3", {market.weth, market.dollar})
    assert "knows it" in pool.notes[0]
    assert (curve.kind, [one.address for one in curve.assets]) == ("curve", [market.dollar, market.weth])
    assert (vault.kind, vault.role, [one.symbol for one in vault.assets]) == ("erc4626", "vault", ["DLR"])
    assert vault.itself is not None
    assert vault.itself.symbol == "SV"
    assert (token.kind, token.role, token.itself.symbol if token.itself else "") == ("holdings", "token", "DLR")
    assert not any(one.unknown or one.proxy for one in (pair, pool, vault, token))


async def test_a_vault_is_seen_through_every_sort_of_proxy_with_whoever_may_exchange_its_code() -> None:
    async with street() as here:
        (transparent, admin), (behind, beacon) = await upgradeable(here, here.vault), await by_beacon(here, here.vault)
        found = [await look(here, one) for one in (transparent, behind, await minimal(here, here.vault))]
        owner = here.owner
    assert [one.kind for one in found] == ["erc4626"] * 3
    upgraded, lit, small = (one.proxy for one in found)
    assert upgraded == proxies.Proxy(kind="EIP-1967", implementation=here.vault, admin=admin, rules=owner)
    assert lit == proxies.Proxy(kind="beacon (EIP-1967)", implementation=here.vault, beacon=beacon, rules=owner)
    assert small is not None
    assert (small.implementation, small.fixed) == (here.vault, True)


async def test_a_copy_of_a_pair_that_no_factory_made_is_said_to_be_one() -> None:
    async with street() as here:
        bare = await look(here, await minimal(here, here.market.pair))  # the pair's code over empty storage: no tokens of its own
        assert (bare.kind, bare.role) == ("holdings", "token")
        runtime = await here.chain.ask("eth_getCode", here.market.pair, "latest")
        copy = (await here.chain.deploy(runtime[2:])).lower()
        for slot in (5, 6, 7, 8, 0):  # factory, tokens, reserves, supply, as UniswapV2Pair lays them out
            kept = await here.chain.ask("eth_getStorageAt", here.market.pair, f"0x{slot:064x}", "latest")
            await here.chain.ask("anvil_setStorageAt", copy, f"0x{slot:064x}", kept)
        await here.chain.ask("anvil_mine", "0x1")
        found = await look(here, copy)
    assert found.kind == "uniswap_v2"
    assert "does NOT know it" in found.notes[0]


async def test_a_pause_on_the_chain_itself_is_pointed_out_with_its_state() -> None:
    async with street() as here:
        pausable = openzeppelin("ERC20PresetMinterPauser")
        token = await here.wallet.deploy(here.owner, pausable, "Pausable", "PSB")
        before = await look(here, token)
        await here.wallet.do(here.owner, token, pausable.call("pause"))
        after = await look(here, token)
    assert "can be paused on the chain, and is not paused now" in before.notes[-1]
    assert "IS PAUSED now" in after.notes[-1]
    assert (before.role, before.itself and before.itself.symbol) == ("token", "PSB")


async def test_what_is_no_contract_or_none_that_is_known_says_so() -> None:
    async with street() as here:
        nobody, bank = await look(here, "0x" + "77" * 20), await look(here, await that_answers_with(here, 0))
    assert not nobody.watchable
    assert "no contract at this address" in nobody.notes[0]
    assert (bank.kind, bank.unknown) == ("holdings", True)
    assert bank.notes[0].startswith("not recognised")


async def test_words_of_a_hostile_contract_are_harmless_and_a_flood_of_them_is_believed_in_nothing() -> None:
    async with street() as here:
        talker, flood = await that_answers_everything(here), await that_answers_with(here, 0x210000)
        setting, (said, drowned, after) = await visit(
            here.chain.node.ws, [Wanted(talker), Wanted(flood), Wanted(here.market.pair)]
        )
    assert said.itself is not None
    assert said.itself.symbol == 'x" evil: {chain: [31m#'
    assert drowned.unknown
    assert (setting.id, after.kind) == (CHAIN, "uniswap_v2"), "the next address is looked at all the same"


async def test_a_node_that_refuses_to_be_asked_at_a_block_is_no_address_without_a_contract() -> None:
    def refuse(methods: tuple[str, ...], frame: bytes) -> list[bytes]:
        if "eth_getCode" not in methods:
            return [frame]
        error = {"code": -32602, "message": "invalid argument 1"}
        asked: list[dict[str, Any]] = msgspec.json.decode(frame)
        return [msgspec.json.encode([{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in asked])]

    async with street() as here, FaultProxy(here.chain.node.ws) as proxy:
        proxy.replies = refuse
        with pytest.raises(NodeError, match="EIP-1898"):
            await visit(proxy.ws, [Wanted(here.vault)])


@pytest.mark.parametrize("code", ["", "60806040", "363d3d373d3d3d363d73" + "ab" * 19])
def test_code_that_is_nearly_a_minimal_proxy_is_none(code: str) -> None:
    assert proxies.minimal(code) is None
