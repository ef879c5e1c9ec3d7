"""Debian's real Prometheus, scraping whatever it is told to, on a free port with a fresh data folder."""

import asyncio
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

from monitor.demo.anvil import free_port
from tests.support.parts import need


class Prometheus:
    """Use as `async with Prometheus(folder, "127.0.0.1:8080") as prometheus`."""

    def __init__(self, folder: Path, target: str, rules: Path | None = None) -> None:
        self.folder = folder
        self.target = target
        self.rules = rules
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process: asyncio.subprocess.Process | None = None
        self._http = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        config = self.folder / "prometheus.yml"
        rules = f"rule_files: ['{self.rules}']\n" if self.rules else ""
        config.write_text(
            f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n{rules}"
            f"scrape_configs:\n- job_name: seawall\n  static_configs: [{{targets: ['{self.target}']}}]\n"
        )
        self._process = await asyncio.create_subprocess_exec(
            need("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}", "--enable-feature=exemplar-storage",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        await self._http.close()

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's result vector; empty when nothing matches. Fails on a query it cannot parse."""
        async with self._http.get(f"{self.url}/api/v1/query", params={"query": expression}) as answer:
            body = await answer.json()
        assert body["status"] == "success", (expression, body)
        return list(body["data"]["result"])

    async def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """The exemplars of the series that an expression names, of the last minutes: labels, value, timestamp each."""
        now = time.time()
        asked = {"query": expression, "start": f"{now - 600:.3f}", "end": f"{now + 60:.3f}"}
        async with self._http.get(f"{self.url}/api/v1/query_exemplars", params=asked) as answer:
            body = await answer.json()
        assert body["status"] == "success", (expression, body)
        return [one for series in body["data"] for one in series["exemplars"]]

    async def until(self, expression: str, within: float = 60.0) -> list[dict[str, Any]]:
        """The result once there is one."""
        async with asyncio.timeout(within):
            while True:
                try:
                    if found := await self.query(expression):
                        return found
                except aiohttp.ClientError:
                    pass  # it is still starting
                await asyncio.sleep(0.2)
