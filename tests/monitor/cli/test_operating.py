"""On call at a terminal: the flags, a pause, a release, a health check, and what each says when something is wrong."""

import asyncio
import json
import sys

from aiohttp import web

from monitor.breaker import holds
from monitor.cli import operating
from tests.monitor.api.conftest import Doors
from tests.monitor.cli.conftest import Seawall, ended, running, serving, where


def test_the_levels_are_the_breakers_own() -> None:
    assert [level.value for level in operating.Level] == [level.value for level in holds.Level]


async def test_flags_show_every_integration_and_why(doors: Doors, seawall: Seawall) -> None:
    await doors.pause("robbery in progress")
    shown = await seawall("flags")
    assert shown.code == 0
    bank, pool = (next(line for line in shown.out.splitlines() if line.startswith(name)) for name in ("bank", "pool.v2"))
    assert "pause" in bank
    assert "robbery in progress" in bank
    assert " run " in pool
    flags = {flag["integration"]: flag["state"] for flag in (await seawall("flags", "--json")).json["flags"]}
    assert flags == {"bank": "pause", "pool.v2": "run", "vault": "run"}


async def test_a_reason_cannot_move_the_terminal(doors: Doors, seawall: Seawall) -> None:
    await doors.pause("\x1b[2J\x1b[31m[bold]all is well[/bold]\u202e")
    shown = (await seawall("flags")).out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]all is well[/bold]" in shown


async def test_a_person_pauses_and_releases(doors: Doors, seawall: Seawall) -> None:
    paused = await seawall("pause", "bank", "--reason", "drill", "--ttl", "600", "--as", "dana")
    assert (paused.code, paused.out.split(",")[0]) == (0, "pause: bank says pause")
    assert doors.board.read()["bank"].state == "pause"
    assert [(made.decision.by, made.decision.reason) for made in doors.desk.made] == [("human:dana", "drill")]
    resumed = (await seawall("resume", "bank", "--reason", "drill is over", "--json")).json
    assert (resumed["integration"], resumed["state"]) == ("bank", "run")
    assert doors.board.read()["bank"].state == "run"


async def test_a_release_of_an_older_state_is_refused(doors: Doors, seawall: Seawall) -> None:
    seen = (await (await doors.pause()).json())["revision"]
    await doors.pause("again")
    refused = await seawall("resume", "bank", "--reason", "over", "--revision", str(seen))
    assert refused.code == 1
    assert " 412 " in refused.err
    assert doors.board.read()["bank"].state == "pause"


async def test_a_release_of_something_unknown_names_what_is_known(seawall: Seawall) -> None:
    refused = await seawall("resume", "bonk", "--reason", "typo")
    assert (refused.code, refused.err.strip()) == (1, "seawall: resume bonk: no such integration; known: bank, pool.v2, vault")
    assert (await seawall("pause", "bonk", "--reason", "typo")).code == 1


async def test_orders_without_a_good_token_are_refused_in_one_line(seawall: Seawall, doors: Doors) -> None:
    without = await seawall("pause", "bank", "--reason", "drill", SEAWALL_TOKEN="")
    assert (without.code, without.err.strip()) == (2, "SEAWALL_TOKEN: not set; orders need a token with the scope 'pause'")
    wrong = await seawall("pause", "bank", "--reason", "drill", SEAWALL_TOKEN="guess")
    assert wrong.code == 1
    assert len(wrong.err.splitlines()) == 1
    assert " 401 " in wrong.err
    assert "guess" not in wrong.err
    assert doors.board.read()["bank"].state == "run"


async def test_wrong_usage_exits_2() -> None:
    assert (await ended("pause", "bank")).code == 2
    assert (await ended("surrender")).code == 2
    assert (await ended("flags", "--url", "file:///etc/passwd")).code == 2


async def test_health_says_yes_and_without_a_daemon_no(seawall: Seawall) -> None:
    assert (await seawall("health")).out == "healthy\n"
    assert (await seawall("health", "--ready", "--json")).json == {"healthy": {"ok": True}, "ready": {"ok": True}}
    alone = await seawall("health", SEAWALL_URL="http://127.0.0.1:9")
    assert (alone.code, len(alone.err.splitlines())) == (1, 1)
    assert "is the daemon up?" in alone.err


async def test_a_sick_daemon_s_report_is_the_answer_and_the_exit_code_is_1() -> None:
    async def sick(_: web.Request) -> web.Response:
        return web.json_response({"ok": False, "pipeline": "stands still"}, status=503)

    async with serving("/-/healthy", sick) as url:
        told = await ended("health", SEAWALL_URL=url)
    assert (told.code, told.out) == (1, "not healthy: pipeline stands still\n")


async def test_the_token_follows_no_redirect() -> None:
    caught = []

    async def thief(request: web.Request) -> web.Response:
        caught.append(request.headers.get("Authorization"))
        return web.json_response({})

    async with serving("/v1/{path:.+}", thief) as lair:

        async def elsewhere(_: web.Request) -> web.Response:
            raise web.HTTPFound(lair + "/v1/steal")

        async with serving("/v1/{path:.+}", elsewhere) as url:
            sent = await ended("pause", "bank", "--reason", "x", SEAWALL_ADMIN_URL=url, SEAWALL_TOKEN="secret")
    assert (sent.code, caught) == (1, [])


async def test_watching_prints_a_line_at_once_and_on_every_change(doors: Doors) -> None:
    async with running("flags", "--watch", "--json", **where(doors)) as watcher, asyncio.timeout(30):
        assert watcher.stdout is not None
        assert _states(await watcher.stdout.readline())["bank"] == "run"
        await doors.pause()
        while _states(await watcher.stdout.readline())["bank"] != "pause":
            pass


async def test_watching_says_so_when_the_daemon_is_gone(doors: Doors) -> None:
    async with running("flags", "--watch", "--json", **where(doors)) as watcher, asyncio.timeout(30):
        assert watcher.stdout is not None
        assert watcher.stderr is not None
        await watcher.stdout.readline()
        await doors.read.stop()
        assert "out of sight, every flag is unknown" in (await watcher.stderr.readline()).decode()


async def test_the_command_line_loads_no_more_than_it_needs() -> None:
    heavy = "numpy web3 aiohttp websockets statsmodels msgspec sentry_sdk rich prometheus_client asyncio"
    code = f"import sys, monitor.cli; print([name for name in '{heavy}'.split() if name in sys.modules])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.decode().strip() == "[]"


def _states(line: bytes) -> dict[str, str]:
    return {flag["integration"]: flag["state"] for flag in json.loads(line)["flags"]}
