"""A node that stops tracing while it is followed, of a real daemon: another takes the lead, or nothing is vouched for."""

import asyncio
from pathlib import Path

from tests.support.chain import TalkingChain
from tests.support.daemon import Daemon, settings
from tests.support.fault_proxy import unchanged_reply
from tests.support.providers import providers, refuse_traces


async def spoken(chain: TalkingChain, blocks: int = 3) -> None:
    """A few blocks, each with something in it, a moment apart."""
    for _ in range(blocks):
        await chain.speak()
        await asyncio.sleep(0.2)


async def test_the_only_node_refuses_to_trace_and_the_flag_is_unknown_until_it_does_again(tmp_path: Path) -> None:
    async with providers(1) as (chain, (only,)), Daemon(tmp_path, settings(tmp_path, only.ws, blind_after="60s")) as daemon:
        await spoken(chain)
        await daemon.until("run")
        only.replies = refuse_traces
        await spoken(chain)
        await daemon.until("unknown", because="doctor", within=15)
        only.replies = unchanged_reply
        for _ in range(40):
            await spoken(chain, 1)
            if (await daemon.flag() or {})["state"] == "run":
                return
            await asyncio.sleep(0.8)
        raise AssertionError("it stayed unknown though the node traces again")


async def test_another_node_takes_the_lead_from_one_that_refuses_to_trace(tmp_path: Path) -> None:
    async with providers(2) as (chain, (a, b)):
        config = settings(tmp_path, a.ws, blind_after="60s")
        config["chains"]["test"]["nodes"].append({"name": "other", "ws": b.ws})
        async with Daemon(tmp_path, config) as daemon:
            await spoken(chain)
            await daemon.until("run")
            a.replies = refuse_traces
            await spoken(chain)
            await daemon.metric("seawall_node_moves_total", least=1, within=15)
            await spoken(chain)
            head = await chain.head()
            await daemon.metric("seawall_chain_head_number", least=head.height)
            assert (await daemon.flag() or {})["state"] == "run"
            assert "traces_refused" not in (tmp_path / "daemon.log").read_text()
