"""Re-entrancy on a real node: real bytecode robbed and used honestly, traced with and without storage order."""

import msgspec

from detectors.base import Finding, Want, Watch
from detectors.execution import Execution
from detectors.reentrancy import Reentrancy
from monitor.chains.traces import Origin, Words, read, storage
from monitor.demo.attacks import launch
from monitor.demo.scenery import CROSS_FUNCTION, REENTRANCY
from monitor.demo.traffic import Traffic
from monitor.demo.wallet import Wallet
from tests.support.show import scene


async def traced(wallet: Wallet, tx: str) -> tuple[Execution, Execution]:
    """A mined transaction by its call tree with logs, and again with storage in order."""
    options = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
    tree = await wallet.node.call("debug_traceTransaction", [tx, options])
    (first,) = read(msgspec.json.encode(tree), Origin(source=tx, chain="eip155:31337", tx=tx, logged=True))
    assert isinstance(first, Execution)
    recorded = await wallet.node.call("debug_traceTransaction", [tx, storage.TRACER])
    return first, storage.read(msgspec.convert(recorded, storage.Recording), first, Words())


def strongest(detector: Reentrancy, event: Execution) -> Finding | None:
    found = [said for said in detector.observe(event) if isinstance(said, Finding)]
    return max(found, key=lambda finding: finding.confidence, default=None)


async def test_a_robbed_bank_is_found_by_tree_and_by_storage_while_honest_traffic_passes() -> None:
    async with scene(count=6, private=False) as show:
        traffic = Traffic(show.wallet, show.stage, seed=7)
        await traffic.burst(20)
        watched = frozenset(integration.victim for integration in show.stage.integrations)
        detector = Reentrancy({"eip155:31337": Watch(watched=watched)})
        robberies = {}
        for attack in show.stage.attacks:
            if attack.name in (REENTRANCY, CROSS_FUNCTION):
                robberies[await launch(attack, show.wallet)] = attack
        height = int(await show.wallet.node.call("eth_blockNumber", []), 16)
        judged = 0
        for number in range(height + 1):
            block = await show.wallet.node.call("eth_getBlockByNumber", [hex(number), False])
            for tx in block["transactions"]:
                first, second = await traced(show.wallet, tx)
                tree, books = strongest(detector, first), strongest(detector, second)
                if tx not in robberies:
                    judged += 1
                    assert tree is None or tree.confidence < 0.5, tree
                    assert books is None or books.confidence < 0.5, books
                    continue
                attack = robberies[tx]
                assert tree is not None
                assert books is not None
                assert tree.subject == books.subject == attack.victim
                assert tree.confidence >= (0.8 if attack.name == REENTRANCY else 0.5)
                assert books.confidence >= 0.8
                assert any(isinstance(said, Want) for said in detector.observe(first))
        assert judged > 20
        assert len(robberies) >= 4
