"""Stock OpenFeature clients read the right value in every state, and fall to the caller's side when the daemon is gone."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.contrib.provider.ofrep import OFREPProvider
from playwright.async_api import Page, Route

from monitor.breaker.flags import OnBlind
from monitor.breaker.holds import Level, State
from tests.monitor.api.conftest import Doors
from tests.support.browser import chromium
from tests.support.findings import CHAIN
from tests.support.parts import ROOT, need

STATES = ("run", "pause", "unknown", "throttle", "half_open")
"""Every state a flag can be read in; what each means is in `EXPECTED`."""

EXPECTED: Mapping[str, tuple[bool, str, float]] = {
    "run": (False, "run", 1.0),
    "pause": (True, "pause", 0.0),
    "unknown": (True, "unknown", 0.0),
    "throttle": (False, "run", 0.25),
    "half_open": (True, "pause", 0.1),
}


async def brought_to(doors: Doors, state: str) -> None:
    """Bring `bank` to this state."""
    board, breaker = doors.board, doors.desk.fold.breaker("bank")
    if state == "pause":
        await doors.pause()
    elif state == "unknown":
        board.blind_now(CHAIN, "drill")
    elif state == "throttle":
        url = f"{doors.admin.url}/v1/integrations/bank/pause"
        order = {"reason": "slow", "level": "throttle", "share": 0.25}
        async with doors.http.post(url, json=order, headers={"Authorization": "Bearer wall-and-sea"}) as answer:
            assert answer.status == 200
    elif state == "half_open":
        await doors.pause()
        held = doors.desk.fold.breaker("bank").holds
        automatic = {key: msgspec.structs.replace(hold, source="detector:drill") for key, hold in held.items()}
        board.publish(msgspec.structs.replace(breaker, state=State.HALF_OPEN, holds=automatic, share=0.1))
        assert board.read()["bank"].level == Level.PAUSE


class Node:
    """The server SDK's provider in a Node process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def read(self, key: str, kind: str, fallback: object) -> dict[str, Any]:
        """One evaluation's details."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"key": key, "type": kind, "fallback": fallback}).encode() + b"\n")
        async with asyncio.timeout(20):
            return dict(json.loads(await self.process.stdout.readline()))


@asynccontextmanager
async def node(url: str) -> AsyncIterator[Node]:
    """Run the provider against a read listener."""
    script = ROOT / "tests" / "support" / "openfeature_server.mjs"
    process = await asyncio.create_subprocess_exec(
        need("node"), str(script), url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        yield Node(process)
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("state", STATES)
async def test_the_python_ofrep_provider(doors: Doors, state: str) -> None:
    await brought_to(doors, state)
    api.set_provider(OFREPProvider(doors.read.url, timeout=5.0))
    client = api.get_client()

    def read() -> tuple[bool, str, float]:
        return (
            client.get_boolean_value("bank.paused", state == "run"),
            client.get_string_value("bank.state", "nothing"),
            client.get_float_value("bank.max_share", -1.0),
        )

    assert await asyncio.to_thread(read) == EXPECTED[state]


async def test_the_server_provider_of_node_in_every_state_and_after_the_end(doors: Doors) -> None:
    async with node(doors.read.url) as client:
        for state in ("run", "throttle", "pause"):  # from mild to strict: an ordered hold stays
            await brought_to(doors, state)
            paused = await client.read("bank.paused", "boolean", fallback=state == "run")
            told = await client.read("bank.state", "string", fallback="nothing")
            share = await client.read("bank.max_share", "number", fallback=-1)
            assert (paused["value"], told["value"], share["value"], paused["errorCode"]) == (*EXPECTED[state], None)
        assert (await client.read("nope.paused", "boolean", fallback=True))["errorCode"] == "FLAG_NOT_FOUND"
        await doors.read.stop()
        gone = await client.read("bank.paused", "boolean", fallback=True)
        assert (gone["value"], bool(gone["errorCode"])) == (True, True), "the caller's default is the side it falls to"


_MODULES = {
    "core": "core/dist/esm/index.js",
    "web-sdk": "web-sdk/dist/esm/index.js",
    "ofrep-core": "ofrep-web-provider/node_modules/@openfeature/ofrep-core/index.esm.js",
    "ofrep-web-provider": "ofrep-web-provider/index.esm.js",
}
_PAGE = """<!doctype html><script type="importmap">{imports}</script><script type="module">
import {{ OpenFeature }} from "@openfeature/web-sdk";
import {{ OFREPWebProvider }} from "@openfeature/ofrep-web-provider";
await OpenFeature.setProviderAndWait(new OFREPWebProvider({{ baseUrl: location.origin, cacheMode: "disabled" }}));
window.client = OpenFeature.getClient();
</script>"""


async def web_client(page: Page, url: str) -> None:
    """A page of the read listener's own origin with the stock web provider in it; its modules come from node_modules."""
    imports = json.dumps({"imports": {f"@openfeature/{name}": f"/esm/{name}.js" for name in _MODULES}})

    async def served(route: Route) -> None:
        name = route.request.url.rpartition("/")[2].removesuffix(".js")
        if name in _MODULES:
            await route.fulfill(path=ROOT / "node_modules" / "@openfeature" / _MODULES[name], content_type="text/javascript")
        else:
            await route.fulfill(body=_PAGE.format(imports=imports), content_type="text/html")

    await page.route("**/esm/*", served)
    await page.goto(f"{url}/esm/page")
    await page.wait_for_function("window.client !== undefined")


async def test_the_web_provider_in_a_browser_is_pushed_every_change(doors: Doors) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await web_client(page, doors.read.url)
        for state in ("run", "throttle", "pause"):
            await brought_to(doors, state)
            paused, told, share = EXPECTED[state]
            await page.wait_for_function(
                "([paused, told, share]) => client.getBooleanValue('bank.paused', !paused) === paused"
                " && client.getStringValue('bank.state', '') === told && client.getNumberValue('bank.max_share', -1) === share",
                arg=[paused, told, share],
            )


@pytest.mark.parametrize("side", [OnBlind.PAUSE, OnBlind.CLEAR])
async def test_the_flagd_provider_falls_to_the_declared_side_when_the_daemon_dies(
    doors: Doors, tmp_path: Path, side: OnBlind
) -> None:
    """In-process evaluation of our document, as a flagd side-car or provider does it: no code of ours is in the client."""
    doors.board.specs["bank"] = msgspec.structs.replace(doors.board.specs["bank"], on_blind=side)
    async with doors.http.get(f"{doors.read.url}/flagd/flags.json") as answer:
        document = msgspec.json.decode(await answer.read())
    ends = int(time.time()) + 4
    for flag in document["flags"].values():  # the same document with a lease that ends soon
        flag["targeting"]["if"][0]["<"][1] = ends
    path = tmp_path / "flags.json"
    path.write_bytes(msgspec.json.encode(document))
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(path))
    await asyncio.to_thread(api.set_provider, provider)
    client = api.get_client()

    def read() -> tuple[bool, str]:
        return client.get_boolean_value("bank.paused", default_value=True), client.get_string_value("bank.state", "nothing")

    async with asyncio.timeout(10):
        while (said := await asyncio.to_thread(read)) != (False, "run"):
            assert time.time() < ends, said
            await asyncio.sleep(0.05)
        await asyncio.sleep(max(0.0, ends - time.time()) + 0.1)
    assert await asyncio.to_thread(read) == (side is OnBlind.PAUSE, "unknown")
    api.shutdown()
