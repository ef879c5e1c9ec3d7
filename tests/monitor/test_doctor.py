"""The doctor over real nodes: who is there, who is refused and why, and which chain hangs by one thread."""

from monitor.config import Config, parse
from monitor.demo.anvil import Anvil
from monitor.doctor import examine, told
from tests.support.chain import TalkingChain


def _config(*urls: str, checkpoint: str = "") -> Config:
    nodes = ", ".join(f'{{name: n{place}, ws: "{url}"}}' for place, url in enumerate(urls))
    return parse(f"version: 1\nchains: {{test: {{id: 'eip155:31337', {checkpoint} nodes: [{nodes}]}}}}\n", "seawall.yaml", {})


async def test_two_good_nodes_are_ok_and_one_says_that_its_failure_would_blind_us() -> None:
    async with await Anvil.start() as node:
        both = await examine(_config(node.ws, node.ws))
        assert (both["ok"], both["degraded"]) == (True, [])
        alone = await examine(_config(node.ws))
        assert alone["degraded"] == ["test has one node that is ok (n0): its next failure would blind us"]
        assert "! test has one node" in told(alone)


async def test_a_node_without_the_pinned_block_is_refused_with_both_hashes() -> None:
    async with await Anvil.start() as node:
        chain = await TalkingChain.on(node)
        genesis = (await chain.at(0)).id
        report = await examine(_config(node.ws, checkpoint=f'checkpoint: {{number: 0, hash: "0x{"5e" * 32}"}},'))
        assert not report["ok"]
        assert f"has {genesis} at height 0, pinned is 0x5e5e" in report["nodes"][0]["problem"]
        assert report["degraded"] == ["test has no node that is ok: its flags are unknown"]
        right = await examine(_config(node.ws, checkpoint=f'checkpoint: {{number: 0, hash: "{genesis}"}},'))
        assert right["ok"]
        await chain.close()
