"""The real listeners of the API tests, and the command line run as a person runs it: a process with an environment."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from monitor.api.server import Listener
from tests.monitor.api.conftest import SECRET, Doors, doors
from tests.support.parts import ROOT

__all__ = ["doors"]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command printed
        """Stdout as JSON."""
        return json.loads(self.out)


@asynccontextmanager
async def running(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m monitor ARGUMENTS`, killed on leaving."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEAWALL_")}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "monitor",
        *arguments,
        cwd=ROOT,
        env={**clean, "COLUMNS": "160", **environment},
        stdout=pipe,
        stderr=pipe,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


Seawall = Callable[..., Awaitable[Ended]]


async def ended(*arguments: str, **environment: str) -> Ended:
    """Run to the end."""
    async with running(*arguments, **environment) as process, asyncio.timeout(30):
        out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def seawall(doors: Doors) -> Seawall:
    """The command line, told where these doors are and given the operators' token."""

    async def command(*arguments: str, **changes: str) -> Ended:
        return await ended(*arguments, **{**where(doors), "SEAWALL_TOKEN": SECRET, **changes})

    return command


@asynccontextmanager
async def serving(path: str, answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """A server on loopback that gives this answer on one path, whatever the method."""
    app = web.Application()
    app.router.add_route("*", path, answer)
    listener = Listener("other", app, "127.0.0.1:0")
    await listener.start()
    try:
        yield listener.url
    finally:
        await listener.stop()


def where(doors: Doors) -> dict[str, str]:
    """The environment that points at these doors."""
    return {"SEAWALL_URL": doors.read.url, "SEAWALL_ADMIN_URL": doors.admin.url}
