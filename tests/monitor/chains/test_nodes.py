"""Several providers of one chain, real ones: when the one in the lead dies, freezes, lags or lies, the others take over."""

import asyncio
import signal
from http import HTTPStatus

import pytest

from monitor.chains.health import State
from monitor.demo.anvil import Anvil, free_port
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN
from tests.support.followed import followed, speaking, twins
from tests.support.providers import Frozen, providers, refuse_traces, refusing


def failed_checks(check: str) -> float:
    sample = {"chain": CHAIN, "check": check, "outcome": "failed"}
    return REGISTRY.get_sample_value("seawall_node_checks_total", sample) or 0.0


async def test_a_lead_whose_connections_are_reset_gives_way_and_no_log_is_lost() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        assert it.lead == "a"
        async with speaking(chain):
            a.reset()
            await it.until(lambda: it.lead == "b")
            grown = await chain.height() + 3
            await it.until(lambda: it.heads.tip is not None and it.heads.tip.height >= grown)
            await it.until(lambda: it.state("a") is State.ALIVE)
            assert it.lead == "b", "nothing moves back for its own sake"
        await it.caught_up(chain)
        assert it.nodes.moves == 1


async def test_a_black_hole_gives_way_within_the_time_of_three_looks() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        async with speaking(chain):
            a.hole()
            await it.until(lambda: it.lead == "b", within=9)
            assert it.state("a") is State.UNREACHABLE
            grown = await chain.height() + 3
            await it.until(lambda: it.heads.tip is not None and it.heads.tip.height >= grown)
            a.clear()
            await it.until(lambda: it.state("a") is State.ALIVE)
        await it.caught_up(chain)
        assert it.nodes.moves == 1


async def test_a_lead_that_refuses_the_logs_of_a_block_it_has_gives_way() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        await chain.speak()
        await it.caught_up(chain)
        a.replies = refusing("eth_getLogs")
        await chain.speak()
        await it.until(lambda: it.lead == "b")
        await it.caught_up(chain)
        assert it.state("a") is State.QUARANTINED
        assert "which it has" in it.nodes.health["a"].why


async def test_a_lead_that_takes_too_few_connections_gives_way_to_one_that_takes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.chains.nodes.MISSING", 2.0)
    async with providers() as (_, (a, b)):
        a.allows = 6
        async with followed(a.ws, b.ws) as it:
            await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
            assert it.lead == "a", "a connection may be late"
            await it.until(lambda: it.lead == "b")
            await asyncio.sleep(3.0)
            assert it.nodes.moves == 1


async def test_two_nodes_that_take_too_few_connections_do_not_lead_in_turns_and_one_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.chains.nodes.MISSING", 1.0)
    async with providers() as (_, (a, b)):
        a.allows = b.allows = 6
        async with followed(a.ws, b.ws) as it:
            await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
            await it.until(lambda: "takes no connection for" in (it.nodes.degraded or ""))
            await asyncio.sleep(4.0)
            assert it.nodes.moves <= 1  # from one without traces to one without something less


async def test_a_provider_that_answers_but_stands_still_is_demoted_and_comes_back_when_it_moves() -> None:
    async with providers() as (chain, (a, b)):
        stuck = Frozen(a)
        async with followed(a.ws, b.ws) as it:
            await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
            async with speaking(chain):
                await chain.speak(2)
                stuck.freeze()
                dialled = a.connections
                await it.until(lambda: it.lead == "b" and it.state("a") is State.OUT_OF_SYNC)
                await it.until(lambda: a.connections >= dialled + 4)  # whoever waited there was told
                stuck.thaw()
                await it.until(lambda: it.state("a") is State.ALIVE)
            await it.caught_up(chain)
            assert it.ledger.reverts == [], "a node that lags is no reorganisation"
            assert it.nodes.moves == 1


async def test_a_node_that_is_frozen_and_then_killed_gives_way_to_its_twin_and_no_log_is_lost() -> None:
    async with twins() as ((first, one), (second, other)), followed(first.ws, second.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        for chain in (one, other):
            await chain.speak(3)
        first.process.send_signal(signal.SIGSTOP)
        await other.speak(2)
        await it.until(lambda: it.lead == "b", within=9)
        await it.caught_up(other)
        first.process.send_signal(signal.SIGCONT)
        await one.speak(2)
        await it.until(lambda: it.state("a") is State.ALIVE)
        first.process.kill()
        await it.until(lambda: it.state("a") is State.UNREACHABLE)
        await other.speak(2)
        await it.caught_up(other)
        assert (it.ledger.reverts, it.nodes.moves) == ([], 1)


async def test_a_node_with_the_same_chain_id_and_another_first_block_is_never_followed() -> None:
    async with (
        providers() as (chain, (a, c)),
        await Anvil.start("--timestamp", "1700000000") as other,
        followed(a.ws, other.ws, c.ws) as it,
    ):
        await it.until(lambda: it.state("a") is it.state("c") is State.ALIVE and it.state("b") is State.WRONG_CHAIN)
        a.hole()
        await it.until(lambda: it.lead == "c")
        await chain.speak(3)
        await it.caught_up(chain)
        assert it.state("b") is State.WRONG_CHAIN


async def test_both_nodes_dead_and_the_one_that_comes_back_first_is_followed_at_once() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        a.hole()
        await it.until(lambda: it.lead == "b")
        b.hole()
        await it.until(lambda: it.state("b") is State.UNREACHABLE)
        await chain.speak(2)
        a.clear()
        await it.until(lambda: it.lead == "a")
        await it.caught_up(chain)


async def test_a_node_that_can_trace_leads_before_one_that_cannot() -> None:
    async with providers() as (_, (a, b)):
        a.replies = refuse_traces
        async with followed(a.ws, b.ws) as it:
            await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and it.lead == "b")
            assert (await it.nodes.capable()).judges


async def test_whoever_takes_the_lead_is_known_by_what_it_offers_and_not_by_what_the_last_one_did() -> None:
    async with providers() as (_, (a, b)):
        b.replies = refuse_traces
        async with followed(a.ws, b.ws) as it:
            offered: list[bool] = []
            it.nodes.moved = lambda capabilities: offered.append(capabilities.judges)
            await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
            assert it.lead == "a"
            a.hole()
            await it.until(lambda: it.lead == "b")
            sample = {"chain": CHAIN, "capability": "trace_call"}
            assert REGISTRY.get_sample_value("seawall_chain_capability", sample) == 0
            a.clear()
            await it.until(lambda: it.lead == "a")
            assert offered[-2:] == [False, True]
            assert REGISTRY.get_sample_value("seawall_chain_capability", sample) == 1


async def test_a_probe_is_not_repeated_on_every_connection() -> None:
    async with providers() as (_, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
        for dialled in (8, 12):
            b.reset()
            await it.until(lambda: b.connections >= dialled and it.state("b") is State.ALIVE)  # noqa: B023 - awaited here
        assert b.asked.count("debug_traceBlockByHash") == 1
        assert b.asked.count("web3_clientVersion") >= 2


async def test_a_second_node_of_another_chain_is_never_used_even_when_it_is_the_only_one_left() -> None:
    port = free_port()
    node = await Anvil.start(port=port)
    async with await Anvil.start("--chain-id", "5") as foreign, node, followed(node.ws, foreign.ws) as it:
        await it.until(lambda: it.state("a") is State.ALIVE and it.state("b") is State.WRONG_CHAIN)
        node.process.kill()
        await node.process.wait()
        await it.until(lambda: it.state("a") is State.UNREACHABLE)
        await asyncio.sleep(1.0)
        assert (it.lead, it.nodes.moves) == ("a", 0)
        (fact, _) = it.nodes.facts()
        assert fact["degraded"] is True


async def test_a_node_that_changes_chains_behind_an_open_connection_is_refused() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
        await chain.call("anvil_setChainId", 5)
        await it.until(lambda: it.state("a") is it.state("b") is State.WRONG_CHAIN)
        assert it.nodes.trouble is not None
        assert "eip155:5" in it.nodes.trouble
        await chain.call("anvil_setChainId", 31337)
        await it.until(lambda: State.ALIVE in {it.state("a"), it.state("b")} and it.state(it.lead) is State.ALIVE)


async def test_the_state_of_each_node_is_exported_one_hot() -> None:
    async with providers() as (_, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
        hot = {
            state: REGISTRY.get_sample_value("seawall_node_state", {"chain": CHAIN, "provider": "b", "state": state})
            for state in State
        }
        assert hot == {state: float(state is State.ALIVE) for state in State}


async def test_one_connection_that_stands_still_is_found_out_by_another_to_the_same_node_and_renewed() -> None:
    async with providers(1) as (chain, (a,)):
        frozen = Frozen(a)
        async with followed(a.ws) as it:
            await it.until(lambda: it.state("a") is State.ALIVE and bool(it.ledger.blocks))
            await chain.speak()
            frozen.freeze()
            dialled = a.connections
            async with speaking(chain):
                await it.until(lambda: a.connections > dialled)
                frozen.thaw()
                await it.until(lambda: it.state("a") is State.ALIVE)
            await it.caught_up(chain)
            assert failed_checks("second_connection") >= 1


async def test_the_last_of_two_nodes_says_so_and_so_does_one_that_leads_for_want_of_a_better() -> None:
    async with providers() as (_, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
        assert it.nodes.degraded is None
        b.refusing = a.refusing = lambda: HTTPStatus.FORBIDDEN
        b.reset()
        await it.until(lambda: "a is the last of 2 nodes that is alive" in str(it.nodes.degraded))
        assert REGISTRY.get_sample_value("seawall_chain_degraded", {"chain": CHAIN}) == 1
        a.reset()
        await it.until(lambda: "for want of a better node" in str(it.nodes.degraded))
        b.refusing = a.refusing = lambda: None
        await it.until(lambda: it.nodes.degraded is None)
        assert REGISTRY.get_sample_value("seawall_chain_degraded", {"chain": CHAIN}) == 0
