"""The first ten minutes: a contract of one's own, `seawall init`, the daemon, and the first flag by plain HTTP."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path

from monitor.demo.anvil import free_port
from tests.monitor.cli.conftest import ended, running
from tests.support.street import street

WITHIN = 30.0


def flag(url: str) -> dict[str, object]:
    """What anybody reads there; empty while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own daemon on loopback
            return dict(json.loads(answer.read()))
    except (urllib.error.URLError, ConnectionError):
        return {}


async def test_from_an_address_to_the_first_flag_by_plain_http(tmp_path: Path) -> None:
    config, read, admin = tmp_path / "seawall.yaml", free_port(), free_port()
    async with street() as here:
        drafted = await ended(
            "init", f"my-vault={here.vault}", "--node", here.chain.node.ws, "--output", str(config), "--mode", "enforce",
            "--read", f"127.0.0.1:{read}", "--admin", f"127.0.0.1:{admin}",
        )  # fmt: skip
        assert drafted.code == 0, drafted.err
        told = dict[str, object]()
        async with running("run", "-c", str(config)) as daemon, asyncio.timeout(WITHIN):
            while told.get("state") != "run" and daemon.returncode is None:
                await here.chain.ask("anvil_mine", "0x1")
                told = await asyncio.to_thread(flag, f"http://127.0.0.1:{read}/v1/flags/my-vault")
                await asyncio.sleep(0.1)
    assert (told.get("state"), told.get("paused"), told.get("mode")) == ("run", False, "enforce"), told
    assert "observed_block" in told
    assert (tmp_path / "seawall-data" / "journal.db").exists()
