"""The service manager's side: ready when it is, pings while it moves, and not one more when it hangs."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.demo.anvil import Anvil
from monitor.service import Service
from tests.support.daemon import Daemon, settings

ALLOWED = 0.4
"""Seconds between two pings at most, as WatchdogSec= would say."""


@contextmanager
def manager(folder: Path) -> Iterator[socket.socket]:
    """The socket on which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listens:
        listens.bind(str(folder / "notify"))
        listens.settimeout(20.0)
        yield listens


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(int(ALLOWED * 1e6)), **more}


def until(listens: socket.socket, wanted: str) -> list[str]:
    """The lines that came, up to the one wanted."""
    lines: list[str] = []
    while wanted not in lines:
        lines += listens.recv(4096).decode().splitlines()
    return lines


def silent(listens: socket.socket, seconds: float) -> bool:
    """Did nothing come for so long?"""
    listens.settimeout(seconds)
    try:
        listens.recv(4096)
    except TimeoutError:
        return True
    finally:
        listens.settimeout(20.0)
    return False


async def test_a_real_daemon_says_ready_then_pings_until_it_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with manager(tmp_path) as listens:
        async with await Anvil.start("--block-time", "1") as node, Daemon(tmp_path, settings(tmp_path, node.ws)) as daemon:
            assert await asyncio.to_thread(until, listens, "READY=1")
            assert await asyncio.to_thread(until, listens, "WATCHDOG=1")
            assert any("run 1" in line for line in await asyncio.to_thread(until, listens, "STATUS=run 1, pause 0, unknown 0"))
            daemon.freeze()
            while not await asyncio.to_thread(silent, listens, ALLOWED / 2):
                continue  # what was on its way
            assert await asyncio.to_thread(silent, listens, 1.5 * ALLOWED), "a process that hangs sends no sign of life"
            daemon.thaw()
            assert await asyncio.to_thread(until, listens, "WATCHDOG=1")
            stopping = asyncio.create_task(daemon.stop())
            assert await asyncio.to_thread(until, listens, "STOPPING=1")
            assert await stopping == 0


async def test_a_pipeline_that_stands_still_gets_no_ping_and_blindness_does(tmp_path: Path) -> None:
    moving = [True]
    with manager(tmp_path) as listens:
        service = Service(environment(tmp_path, WATCHDOG_USEC="200000"))
        running = asyncio.create_task(service.run(lambda: True, lambda: moving[0], lambda: "fine"))
        assert await asyncio.to_thread(until, listens, "WATCHDOG=1")
        moving[0] = False
        while not await asyncio.to_thread(silent, listens, 0.15):
            continue
        assert await asyncio.to_thread(silent, listens, 0.5)
        moving[0] = True
        assert await asyncio.to_thread(until, listens, "WATCHDOG=1")
        running.cancel()


async def test_without_a_manager_nothing_is_sent_and_nothing_waits() -> None:
    service = Service({})
    await service.run(lambda: False, lambda: True, lambda: "")
    service.tell("READY=1")
    assert service.every is None


def test_pings_are_for_the_process_they_were_meant_for(tmp_path: Path) -> None:
    assert Service(environment(tmp_path, WATCHDOG_PID=str(os.getpid()))).every == ALLOWED / 4
    assert Service(environment(tmp_path, WATCHDOG_PID="1")).every is None


def test_a_manager_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    service = Service(environment(tmp_path))
    assert service.there
    service.tell("WATCHDOG=1")  # raises nothing: nobody is behind the socket's name
