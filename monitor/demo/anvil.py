"""A local Ethereum node (Foundry's anvil) on a free loopback port, started and stopped with its owner."""

import asyncio
import os
import shutil
import socket
from pathlib import Path
from typing import Self

from monitor.errors import NodeUnreachable

_ROOT = Path(__file__).resolve().parents[2]
_STARTS_WITHIN = 20.0


def find_anvil() -> Path:
    """Where the node is: `ANVIL_BIN`, else the project's npm package, else PATH.

    Raises NodeUnreachable naming all three when there is none.
    """
    if named := os.environ.get("ANVIL_BIN"):
        return Path(named)
    for root in (Path.cwd(), _ROOT):
        packaged = root / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
        if packaged.exists():
            return packaged
    if on_path := shutil.which("anvil"):
        return Path(on_path)
    raise NodeUnreachable("no anvil: run `make setup` in the project, or set ANVIL_BIN to a Foundry anvil binary")


def free_port() -> int:
    """A loopback TCP port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Anvil:
    """A running node. `ws` and `http` are its URLs. Use as `async with await Anvil.start("--no-mining") as node`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    @property
    def ws(self) -> str:
        """WebSocket URL."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        """HTTP URL."""
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    async def start(cls, *options: str, port: int | None = None) -> Self:
        """Start anvil with these options and wait until it listens. Raises NodeUnreachable when it does not."""
        port = port or free_port()
        process = await asyncio.create_subprocess_exec(
            str(find_anvil()), "--port", str(port), "--quiet", *options,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        node = cls(process, port)
        deadline = asyncio.get_running_loop().time() + _STARTS_WITHIN
        while asyncio.get_running_loop().time() < deadline and process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return node
        await node.stop()
        raise NodeUnreachable(f"anvil did not listen on 127.0.0.1:{port} within {_STARTS_WITHIN:.0f} s; try running it by hand")

    async def stop(self) -> None:
        """End the process: SIGTERM, then SIGKILL after two seconds."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(2):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
