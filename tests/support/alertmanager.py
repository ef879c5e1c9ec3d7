"""Debian's Alertmanager on a free port, sending what it groups to a receiver of ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from monitor.demo.anvil import free_port
from tests.support.parts import need

CONFIG = """
global: {{resolve_timeout: {resolve_timeout}}}
route: {{receiver: hook, group_by: [alertname, integration, chain], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: hook
  webhook_configs: [{{url: {hook}, send_resolved: true}}]
"""


@asynccontextmanager
async def alertmanager(folder: Path, hook: str, resolve_timeout: str = "5m") -> AsyncIterator[str]:
    """Its base URL, once it is ready. Skips without the Debian package."""
    program, port = need("prometheus-alertmanager"), free_port()
    config = folder / f"alertmanager-{port}.yml"
    await asyncio.to_thread(config.write_text, CONFIG.format(hook=json.dumps(hook), resolve_timeout=resolve_timeout))
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={config}",
        f"--storage.path={folder / str(port)}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def alerts(base: str) -> list[dict[str, object]]:
    """What it holds now, by its own API."""
    async with aiohttp.ClientSession() as session, session.get(f"{base}/api/v2/alerts") as answer:
        held: list[dict[str, object]] = await answer.json()
        return held


async def amtool(base: str, *arguments: str) -> str:
    """The real amtool; what it prints."""
    process = await asyncio.create_subprocess_exec(
        need("amtool"), f"--alertmanager.url={base}", *arguments, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return printed.decode().strip()


async def _ready(base: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while process.returncode is None:
            try:
                async with session.get(f"{base}/-/ready") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError(f"prometheus-alertmanager ended with {process.returncode} before it was ready")
