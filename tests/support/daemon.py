"""A real `seawall run` in a process of its own, with a small configuration over a node of the test's."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

from monitor.demo.anvil import free_port

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-the-test"
VAULT = "0x" + "b0" * 20


def settings(
    folder: Path, node_ws: str, *, chain_id: int = 31337, blind_after: str = "3s", watch: str = VAULT, kind: str = "holdings"
) -> dict[str, Any]:
    """A configuration with one watched contract, enforced."""
    return {
        "version": 1,
        "chains": {
            "test": {
                "id": f"eip155:{chain_id}", "nodes": [{"name": "anvil", "ws": node_ws}],
                "block_time": "1s", "blind_after": blind_after,
            }
        },
        "integrations": {"vault": {"chain": "test", "contracts": [{"address": watch, "kind": kind}], "mode": "enforce"}},
        "api": {
            "read": f"127.0.0.1:{free_port()}", "admin": f"127.0.0.1:{free_port()}",
            "tokens": [{"name": "ops", "secret": "${TOKEN}", "scopes": ["pause", "resume"]}],
        },
        "journal": {"path": str(folder / "journal.db")},
        "policies": {"default": {}},
    }  # fmt: skip


class Daemon:
    """Use as `async with Daemon(folder, settings) as daemon`; `options` are further ones of `seawall run`."""

    def __init__(self, folder: Path, config: dict[str, Any], *options: str) -> None:
        self.folder = folder
        self.options = options
        self.config = config
        self.read = f"http://{config['api']['read']}"
        self.admin = f"http://{config['api']['admin']}"
        self.process: asyncio.subprocess.Process | None = None
        self.http = aiohttp.ClientSession()

    async def start(self) -> None:
        """Start the process; returns at once."""
        (self.folder / "seawall.yaml").write_text(yaml.safe_dump(self.config))
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "monitor", "run", "-c", str(self.folder / "seawall.yaml"), *self.options,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env={**os.environ, "TOKEN": TOKEN},
            )  # fmt: skip

    async def flag(self) -> dict[str, Any] | None:
        """The vault's flag, None while nobody answers."""
        try:
            async with self.http.get(f"{self.read}/v1/flags/vault") as answer:
                return dict(await answer.json())
        except aiohttp.ClientError:
            return None

    async def ready(self, within: float = 30.0) -> None:
        """Wait until it says that it is."""
        async with asyncio.timeout(within):
            while True:
                async with self.http.get(f"{self.read}/-/ready") as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.05)

    async def holds(self) -> list[dict[str, Any]]:
        """What holds the vault."""
        async with self.http.get(f"{self.read}/v1/integrations/vault") as answer:
            return list((await answer.json())["holds"])

    async def until_held(self, stage: str, within: float = 30.0) -> None:
        """Wait until a hold rests on evidence of this stage."""
        async with asyncio.timeout(within):
            while True:
                if stage in {hold["stage"] for hold in await self.holds()}:
                    return
                await asyncio.sleep(0.05)

    async def until(self, state: str, within: float = 30.0, because: str = "", *, recorded: bool = False) -> dict[str, Any]:
        """The flag once it reads `state`, its reason names `because`, and (`recorded`) the journal has it.

        Fails with the last one read and the end of the log.
        """

        def there(flag: dict[str, Any] | None) -> bool:
            return (
                flag is not None and flag["state"] == state and because in flag["reason"] and not (recorded and flag["pending"])
            )

        flag = None
        try:
            async with asyncio.timeout(within):
                while not there(flag := await self.flag()):
                    if self.process is None or self.process.returncode is not None:
                        break
                    await asyncio.sleep(0.02)
                else:
                    return flag or {}
        except TimeoutError:
            pass
        log = (self.folder / "daemon.log").read_text(errors="replace")[-1500:]
        raise AssertionError(f"the flag did not become {state} within {within} s; it is {flag}; the log ends: {log}")

    async def metric(self, name: str, label: str = "", *, least: float = 0.0, within: float = 30.0) -> float:
        """The sum of a metric's samples with this label, once it is at least `least`."""
        async with asyncio.timeout(within):
            while True:
                async with self.http.get(f"{self.read}/metrics") as answer:
                    lines = [line for line in (await answer.text()).splitlines() if line.startswith(name) and label in line]
                if (found := sum(float(line.rsplit(" ", 1)[1]) for line in lines)) >= least:
                    return found
                await asyncio.sleep(0.05)

    async def order(self, action: str, **headers: str) -> dict[str, Any]:
        """Pause or resume as an operator."""
        url = f"{self.admin}/v1/integrations/vault/{action}"
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with self.http.post(url, json={"reason": "test"}, headers=bearer | headers) as answer:
            return {"status": answer.status, **await answer.json()}

    async def kill(self) -> None:
        """Kill -9."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process is None:
            return 0
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 15)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        await self.http.close()
