"""The daemon of the show: a real `seawall run` in a process of its own, with a configuration written from the stage."""

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

from detectors import discover
from monitor.demo.anvil import free_port
from monitor.demo.market import Market
from monitor.demo.scenery import Integration, Stage
from monitor.errors import SeawallError

CHAIN, CHAIN_ID = "show", "eip155:31337"
ROOT = Path(__file__).resolve().parents[2]
_READY_WITHIN = 60.0


def configuration(
    stage: Stage, node_ws: str, pager_url: str, ports: tuple[int, int], folder: Path, *, detecting: bool
) -> dict[str, Any]:
    """The show's `seawall.yaml` as plain data: every staged integration in enforce mode, priced by its own pool."""
    read, admin = ports
    return {
        "version": 1,
        "chains": {
            CHAIN: {
                "id": CHAIN_ID, "nodes": [{"name": "anvil", "ws": node_ws}],
                "block_time": "2s", "blind_after": "15s", "finality": "finalized",
            }
        },
        "integrations": {integration.id: _integration(integration) for integration in stage.integrations},
        "trusted": {CHAIN: sorted(stage.trusted)},
        "prices": {CHAIN: _prices(stage.market, stage.integrations)},
        "policies": {"default": {"max_paused_share": 1.0}},  # a show with many attacks pauses them all
        "detectors": {} if detecting else {name: {"enabled": False} for name in discover()},
        "alerts": {
            "calm": 1000,  # the show counts an alert for each of its incidents
            "routes": [{"match": {}, "to": ["pager", "console"]}],
            "receivers": {
                "console": {"channel": "console"},
                "pager": {"channel": "webhook", "url": pager_url, "secret": "${SEAWALL_DEMO_PAGER}", "allow_private": True},
            },
        },
        "api": {
            "read": f"127.0.0.1:{read}", "admin": f"127.0.0.1:{admin}",
            "tokens": [{"name": "demo", "secret": "${SEAWALL_DEMO_TOKEN}", "scopes": ["pause", "resume"]}],
        },
        "journal": {"path": str(folder / "journal.db")},
        "log": {"level": "info", "format": "json"},
    }  # fmt: skip


def _integration(integration: Integration) -> dict[str, Any]:
    contracts = [
        {"address": c.address, "kind": c.kind, "role": c.role, "assets": [asset for asset in c.assets if asset != "native"]}
        for c in integration.contracts
    ]
    return {"chain": CHAIN, "contracts": contracts, "mode": "enforce", "on_blind": "pause"}


def _prices(market: Market, integrations: tuple[Integration, ...]) -> list[dict[str, str]]:
    """Every token with a pool against the show's dollar, priced in it."""
    pools = [contract for integration in integrations for contract in integration.contracts if contract.role == "pool"]
    return [
        {"token": asset, "pool": pool.address, "quote": market.dollar}
        for pool in pools
        for asset in pool.assets
        if asset != market.dollar
    ]


class Daemon:
    """A running `seawall run`. `url` and `admin_url` are its listeners, `token` opens the second, `folder` has its files."""

    def __init__(self, process: asyncio.subprocess.Process, ports: tuple[int, int], token: str, folder: Path) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.admin_url = f"http://127.0.0.1:{ports[1]}"
        self.token = token
        self.folder = folder

    @classmethod
    async def start(cls, config: Mapping[str, Any], ports: tuple[int, int], folder: Path, pager_secret: str) -> Self:
        """Write the configuration, start the process, wait until it is ready.

        Raises SeawallError with the end of its log when it is not.
        """
        token = secrets.token_urlsafe(24)
        env = {**os.environ, "SEAWALL_DEMO_TOKEN": token, "SEAWALL_DEMO_PAGER": pager_secret}
        (folder / "seawall.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False))
        with (folder / "daemon.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "monitor", "run", "-c", str(folder / "seawall.yaml"),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=env, cwd=ROOT,
            )  # fmt: skip
        daemon = cls(process, ports, token, folder)
        await daemon._ready()
        return daemon

    async def _ready(self) -> None:
        clock = asyncio.get_running_loop()
        deadline = clock.time() + _READY_WITHIN
        async with aiohttp.ClientSession() as http:
            while clock.time() < deadline and self.process.returncode is None:
                try:
                    async with http.get(f"{self.url}/-/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        await self.stop()
        last = (self.folder / "daemon.log").read_text(errors="replace").strip().splitlines()[-3:]
        raise SeawallError(f"the daemon of the show did not become ready; its log ends: {' | '.join(last) or '(empty)'}")

    async def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL after eight seconds."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(8):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def ports(read: int | None) -> tuple[int, int]:
    """The read listener's port (as wished, else free) and a free one for the admin listener."""
    return read or free_port(), free_port()
