"""What it costs: the estimate against what a real daemon really asks, and against a plan's limit."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from detectors.events import Position
from monitor.chains.capabilities import Capabilities
from monitor.chains.kinds import KINDS as CHAIN_KINDS
from monitor.config import ChainConfig, Config, Contract, PoolKind, parse
from monitor.costs import AGAIN, ENVIRONMENTS, EXIT_READS, HEADS_EVERY, READS, Traffic, beside, leading
from monitor.demo.anvil import Anvil
from monitor.doctor import examine, told
from monitor.feeds.heads import Heads
from monitor.feeds.pools import KINDS, Pools
from tests.support.daemon import Daemon, settings
from tests.support.fault_proxy import FaultProxy
from tests.support.street import street

ADDRESS = "0x" + "5e" * 20
WORD = "0x" + "00" * 12 + "5e" * 20
EVERYTHING = Capabilities(
    mempool=True, full_pending=True, trace_call=True, trace_block=True, rows=True, js_call=True, js_transaction=True, pinned=True,
    tags=True,
)  # fmt: skip
SECONDS = 3.0
NODE = '{name: first, ws: "ws://127.0.0.1:1"}'


def configured(rate: str = "", more: str = "") -> Config:
    """One chain with one node."""
    node = f'{{name: first, ws: "ws://127.0.0.1:1"{rate}}}'
    return parse(f"version: 1\nchains: {{main: {{id: 'eip155:1', nodes: [{node}]}}}}\n{more}", "seawall.yaml", {})


def chain() -> ChainConfig:
    return configured().chains["main"]


@pytest.mark.parametrize("kind", PoolKind)
def test_the_reads_of_a_state_are_those_that_a_pool_makes_once_it_knows_itself(kind: PoolKind) -> None:
    pool = KINDS[kind].of(ADDRESS)
    coins = [f"0x{place:064x}" for place in (1, 2)]
    facts = pool.facts()
    pool.learn([*coins, *(None for _ in facts[2:])] if kind is PoolKind.CURVE else [WORD for _ in facts])
    pool.state([WORD * 1 for _ in pool.calls()], chain="eip155:1", at=0.0, position=Position(1, "0x1"))
    assert len(pool.calls()) == READS[kind]


def test_the_follower_asks_as_often_as_the_bill_says() -> None:
    defaults = Heads.__init__.__kwdefaults__ or {}
    assert defaults["every"] == HEADS_EVERY
    assert (Pools.__init__.__kwdefaults__ or {})["every"] == 10, "as many blocks as a round of contexts"
    assert EXIT_READS.keys() == {"eoa", "safe"}


def test_a_quiet_contract_costs_a_tenth_of_a_busy_one_and_empty_blocks_no_trace() -> None:
    one = Contract(address=ADDRESS, kind=PoolKind.UNISWAP_V2)
    quiet = leading(chain(), EVERYTHING, CHAIN_KINDS["ethereum"], Traffic(transactions=0, touched={}), [one], [], None)
    busy = leading(chain(), EVERYTHING, CHAIN_KINDS["ethereum"], Traffic(transactions=0), [one], [], None)
    items = [{item.what: item.calls for item in bill.items} for bill in (quiet, busy)]
    assert items[1]["state of what is watched"] == pytest.approx(10 * items[0]["state of what is watched"])
    assert "traces of blocks" not in items[0]
    full = leading(chain(), EVERYTHING, CHAIN_KINDS["ethereum"], Traffic(transactions=200), [one], [], None)
    assert full.a_day > 2 * busy.a_day, "simulations are most of it"


def test_what_is_near_is_looked_at_again_up_to_the_configured_rate() -> None:
    def looks(near: float, more: str = "") -> float:
        one = parse(f"version: 1\nchains: {{main: {{id: 'eip155:1', nodes: [{NODE}]{more}}}}}\n", "seawall.yaml", {}).chains[
            "main"
        ]
        bill = leading(one, EVERYTHING, CHAIN_KINDS["ethereum"], Traffic(transactions=200, near=near), [], [], None)
        return {item.what: item.calls for item in bill.items}["second looks at those near what is watched"]

    assert looks(2.0) == pytest.approx(7200 * 2.0 * (AGAIN + ENVIRONMENTS))
    assert looks(2.0, ", reruns: {enabled: false}") == pytest.approx(7200 * 2.0 * AGAIN)
    assert looks(100.0) == pytest.approx(7200 * 100.0 * AGAIN + 4.0 * 86_400 * ENVIRONMENTS)


def test_a_layer_two_has_no_mempool_and_a_plan_that_is_too_small_is_said() -> None:
    traffic = Traffic(transactions=50)
    base = leading(chain(), EVERYTHING, CHAIN_KINDS["base"], traffic, [], [], 0.5)
    assert {"the block being built", "layer 1's fee"} <= {item.what for item in base.items}
    assert "pending" not in " ".join(item.what for item in base.items)
    assert "too small" in base.verdict
    many = [Contract(address=f"0x{n:040x}", kind=PoolKind.UNISWAP_V2) for n in range(30)]
    tight = leading(chain(), EVERYTHING, CHAIN_KINDS["ethereum"], Traffic(transactions=0, touched={}), many, [], 100.0)
    assert "tight" in tight.verdict
    assert beside(chain(), EVERYTHING, 50.0).verdict == ""


async def test_the_estimate_is_what_a_real_daemon_asks(tmp_path: Path) -> None:
    async with street() as here, FaultProxy(here.chain.node.ws) as proxy:
        await here.chain.ask("evm_setIntervalMining", 1)
        config = settings(tmp_path, proxy.ws, watch=here.market.pair, kind="uniswap_v2")
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            await asyncio.sleep(0.5)
            before = len(proxy.asked)
            await asyncio.sleep(SECONDS)
            asked = proxy.asked[before:]
        loaded = parse((tmp_path / "seawall.yaml").read_text(), "seawall.yaml", {"TOKEN": "a-token-of-the-test"})
        report = await examine(loaded)
    cost = report["nodes"][0]["cost"]["leading"]
    real = len(asked) / SECONDS
    assert 0.6 < real / cost["a_second"] < 1.3, (real, cost, Counter(asked))


async def test_the_doctor_shows_the_bill_and_what_cannot_be_read_and_what_is_left_open(tmp_path: Path) -> None:
    async with await Anvil.start() as node:
        config = settings(tmp_path, node.ws, kind="erc4626")
        config["chains"]["test"]["nodes"][0]["rate"] = 2
        text = tmp_path / "seawall.yaml"
        del config["api"]["tokens"]
        text.write_text(repr(config).replace("'", '"'))
        report = await examine(parse(text.read_text(), "seawall.yaml", {}))
        config["chains"]["test"]["nodes"].append({"name": "second", "ws": node.ws.replace("127.0.0.1", "localhost")})
        text.write_text(repr(config).replace("'", '"'))
        both = await examine(parse(text.read_text(), "seawall.yaml", {}))
    shown = told(report)
    assert not report["ok"]
    assert "cannot be read as erc4626" in shown
    assert "seawall init" in shown
    assert "in 30 days" in shown
    assert "rate 2 is too small" in shown
    assert "api.tokens: nobody can pause or resume" in shown
    assert "alerts.receivers: nobody is told" in shown
    lead, aside = (one["cost"] for one in both["nodes"])
    assert lead["beside"] is None
    assert aside["beside"]["a_day"] < aside["leading"]["a_day"]
    assert both["providers"] == {"127.0.0.1": lead["leading"]["a_day"], "localhost": aside["beside"]["a_day"]}
    assert "should it take the lead" in told(both)
