"""Everything hostile at once, pending and mined, against a whole daemon: it lives, sees on, and says what it could not judge."""

from pathlib import Path

from tests.hostile.siege import Endured, endure
from tests.support.daemon import VAULT

MOST_MB, MOST_MS = 512, 100


async def test_a_siege_of_hostile_transactions_neither_bursts_nor_stalls_nor_blinds_the_daemon(tmp_path: Path) -> None:
    endured: Endured = await endure(tmp_path)
    assert endured.peak_mb <= MOST_MB
    assert endured.seen_height == endured.height, "the block with all of it was judged"
    assert endured.state != "unknown"
    assert endured.unjudged.get("oversize", 0) >= 1, "the bomb is counted"
    assert {found["subject"] for found in endured.silence} == {VAULT}, "and told, with the contract that it named"
    assert "pending" in {found["stage"] for found in endured.silence}
    assert endured.stall_ms < endured.node_bomb_ms / 4, "nobody waited for the bomb as the node did"
    assert endured.burst_ms <= MOST_MS, "nor for us"
    assert endured.unended == 0, "each that came was judged, or is counted"
    assert endured.series < 2_000, "what a chain says becomes no label"
