"""What a hostile client sends is answered, as a problem document where HTTP allows it, and leaves no traceback behind."""

import asyncio
import subprocess
import sys

import pytest

from tests.monitor.api.conftest import Doors
from tests.support.parts import ROOT

LISTEN = """
import asyncio, os
from aiohttp import web
from monitor.api.problems import problems
from monitor.api.server import Listener
from monitor.logs import start_logging

GARBAGE = (
    os.urandom(300) + b"\\r\\n\\r\\n",
    b"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 3\\r\\nContent-Encoding: gzip\\r\\n\\r\\nabc",
    b"GET /" + b"a" * 9_000 + b" HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
)

async def read(request):
    return web.Response(body=await request.read())

async def main():
    start_logging("info", "json")
    app = web.Application(middlewares=[problems])
    app.router.add_post("/", read)
    listener = Listener("read", app, "127.0.0.1:0")
    await listener.start()
    for bytes_ in GARBAGE:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(listener.url.rpartition(":")[2]))
        writer.write(bytes_)
        print((await reader.readline()).split()[1].decode())
        writer.close()
    await listener.stop()

asyncio.run(main())
"""


@pytest.mark.parametrize("side", ["read", "admin"])
async def test_a_body_that_is_not_compressed_as_it_claims_is_the_clients_fault(doors: Doors, side: str) -> None:
    url = {
        "read": f"{doors.read.url}/ofrep/v1/evaluate/flags",
        "admin": f"{doors.admin.url}/v1/integrations/bank/pause",
    }[side]
    headers = {"Content-Encoding": "gzip", "Authorization": "Bearer wall-and-sea"}
    async with asyncio.timeout(5), doors.http.post(url, data=b"abc", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (400, "application/problem+json")


def test_bytes_that_are_no_http_leave_no_traceback_in_the_log() -> None:
    done = subprocess.run([sys.executable, "-c", LISTEN], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["400"] * 3
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, "that it listens, and no more"
