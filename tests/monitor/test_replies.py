"""What people do in their pager comes back: to the journal, the incident, and everybody else; never to a hold or a flag."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor.demo.anvil import Anvil
from tests.support.alertmanager import alertmanager, alerts, amtool
from tests.support.daemon import TOKEN, Daemon, settings
from tests.support.parts import ROOT
from tests.support.receivers import Receiver, receiver, until
from tests.support.replies import posted, signed

ROUTING, SHARED = "0" * 32, b"the-subscription's-secret"


def configured(folder: Path, node: str, pager: str, hook: str) -> dict[str, Any]:
    """A daemon that tells PagerDuty and a webhook."""
    for name, value in (("routing", ROUTING), ("shared", SHARED.decode()), ("hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")):
        (folder / name).write_text(value)
    told = {
        "pd": {
            "channel": "pagerduty", "routing_key": f"file:{folder / 'routing'}", "url": pager, "allow_private": True,
            "webhook_secret": f"file:{folder / 'shared'}",
        },
        "hook": {"channel": "webhook", "url": hook, "secret": f"file:{folder / 'hook'}", "allow_private": True},
    }  # fmt: skip
    return settings(folder, node, blind_after="30s") | {"alerts": {"receivers": told}}


async def reply(daemon: Daemon, kind: str, secret: bytes = SHARED, body: bytes | None = None, to: str = "pd") -> tuple[int, Any]:
    """Post as PagerDuty does; the status and the body."""
    made = posted(kind, at=datetime.now(UTC).isoformat()) if body is None else body
    headers = {"X-PagerDuty-Signature": signed(made, secret), "Content-Type": "application/json"}
    async with daemon.http.post(f"{daemon.admin}/v1/replies/{to}", data=made, headers=headers) as answer:
        return answer.status, await answer.json()


async def taken_here(daemon: Daemon) -> None:
    """An operator takes the newest incident up, as `seawall ack` does."""
    url = f"{daemon.admin}/v1/incidents/{(await incident(daemon))['id']}/acknowledge"
    async with daemon.http.post(url, json={"actor": "bob"}, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert (answer.status, (await answer.json())["by"]) == (200, "human:bob")


async def incident(daemon: Daemon) -> dict[str, Any]:
    """The newest incident."""
    async with daemon.http.get(f"{daemon.read}/v1/incidents") as answer:
        return dict((await answer.json())["incidents"][0])


async def by(daemon: Daemon) -> str | None:
    """Who has taken it up."""
    taken = (await incident(daemon))["acknowledged"]
    return taken and str(taken["by"])


async def held(base: str) -> bool:
    """Does Alertmanager have an alert?"""
    return bool(await alerts(base))


async def has_it(daemon: Daemon, who: str | None) -> bool:
    """Is it taken up by them, or (None) by nobody?"""
    return await by(daemon) == who


async def explained(daemon: Daemon, *options: str) -> str:
    """What `seawall explain` says of the newest incident, to a terminal."""
    key = (await incident(daemon))["id"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "explain", key, *(options or ("--url", daemon.read)),
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return printed.decode()


def kinds(hook: Receiver) -> list[str]:
    """What the webhook was told, by kind. What a kill had it told twice has one id, and counts once."""
    return [json.loads(body)["type"] for body in {got.headers["webhook-id"]: got.body for got in hook.received}.values()]


async def heard(hook: Receiver, count: int) -> None:
    """Wait until it was told so many different things."""
    await until(lambda: len(kinds(hook)) >= count)


async def forged_in_every_way(daemon: Daemon) -> None:
    """None of these is believed, and each is counted."""
    assert (await reply(daemon, "incident.acknowledged", secret=b"guessed"))[0] == 401
    async with daemon.http.post(f"{daemon.admin}/v1/replies/pd", data=posted("incident.acknowledged")) as unsigned:
        assert (unsigned.status, unsigned.content_type) == (401, "application/problem+json")
    assert (await reply(daemon, "incident.acknowledged", to="hook"))[0] == 404
    assert (await reply(daemon, "incident.acknowledged", to="nobody"))[0] == 404
    assert (await reply(daemon, "", body=b"x" * 70_000))[0] == 413
    assert (await reply(daemon, "", body=b'{"event": []}'))[0] == 400
    assert await daemon.metric("seawall_alert_replies_total", 'outcome="forged",receiver="pd"') == 2
    assert await daemon.metric("seawall_alert_replies_total", 'outcome="unreadable",receiver="pd"') == 1
    assert await by(daemon) is None


async def test_who_acknowledges_at_pagerduty_has_it_and_no_flag_changes(tmp_path: Path) -> None:
    async with receiver() as pager, receiver() as hook, await Anvil.start("--block-time", "1") as node:
        config = configured(tmp_path, node.ws, pager.url, hook.url)
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            assert await reply(daemon, "incident.acknowledged") == (200, {"outcome": "late"})
            paused = await daemon.order("pause")
            [trigger] = await pager.wait_for(1)
            assert trigger.json()["dedup_key"] == "seawall/breaker/vault"  # type: ignore[index]
            await forged_in_every_way(daemon)
            first = posted("incident.acknowledged", at=datetime.now(UTC).isoformat())
            assert await reply(daemon, "", body=first) == (200, {"outcome": "taken_up"})
            assert await reply(daemon, "incident.acknowledged") == (200, {"outcome": "known"})
            assert await by(daemon) == "human:Ada Night (pd)"
            await heard(hook, 2)
            await daemon.kill()
        async with Daemon(tmp_path, config) as daemon:
            flag = await daemon.until("pause")
            assert flag["revision"] == paused["revision"], "an acknowledgement is no decision"
            assert await by(daemon) == "human:Ada Night (pd)"
            assert "taken up" in await explained(daemon)
            async with daemon.http.get(f"{daemon.read}/") as page:
                assert "Ada Night" in await page.text()
            assert "Ada Night (pd)" in await explained(daemon, "--journal", str(tmp_path / "journal.db"))
            assert await reply(daemon, "incident.resolved") == (200, {"outcome": "known"})
            assert await reply(daemon, "incident.unacknowledged") == (200, {"outcome": "given_back"})
            assert await reply(daemon, "", body=first) == (200, {"outcome": "late"}), "said once, and overheard"
            assert await by(daemon) is None
            assert await reply(daemon, "incident.resolved") == (200, {"outcome": "taken_up"})
            await heard(hook, 4)
            assert await reply(daemon, "incident.unacknowledged") == (200, {"outcome": "given_back"})
            summary = pager.received[0].json()["payload"]["summary"]  # type: ignore[index]
            grouped = posted("incident.acknowledged", at=datetime.now(UTC).isoformat(), key=None, title=summary)
            assert await reply(daemon, "", body=grouped) == (200, {"outcome": "taken_up"})
            strange = posted("incident.acknowledged", at=datetime.now(UTC).isoformat(), key=None, title="vault: disk full")
            assert await reply(daemon, "", body=strange) == (200, {"outcome": "late"})
            assert await reply(daemon, "incident.unacknowledged") == (200, {"outcome": "given_back"})
            await taken_here(daemon)
            await pager.wait_for(2)
            await heard(hook, 8)
            assert (await daemon.until("pause"))["revision"] == paused["revision"], "what is resolved there stays held here"
    assert kinds(hook) == ["breaker.forced", *["incident.acknowledged", "incident.unacknowledged"] * 3, "incident.acknowledged"]
    actions = [got.json()["event_action"] for got in pager.received]  # type: ignore[index]
    assert actions == ["trigger", "acknowledge"], "nobody is told what they said themselves"


async def test_whoever_silences_an_alert_has_it_until_the_silence_ends(tmp_path: Path) -> None:
    async with (
        receiver() as pager, receiver() as hook, receiver() as grouped, alertmanager(tmp_path, grouped.url) as base,
        await Anvil.start("--block-time", "1") as node,
    ):  # fmt: skip
        config = configured(tmp_path, node.ws, pager.url, hook.url)
        config["alerts"]["receivers"]["am"] = {"channel": "alertmanager", "urls": [base], "silences_every": 0.2}
        async with Daemon(tmp_path, config) as daemon:
            await daemon.until("run")
            await daemon.order("pause")
            await until(lambda: held(base))
            silence = await amtool(
                base, "silence", "add", "alertname=SeawallForcedOpen", "integration=vault", "--author=ada", "--comment=on it",
                "--duration=1h",
            )  # fmt: skip
            await until(lambda: has_it(daemon, "human:ada (am)"))
            assert "on it" in (await incident(daemon))["acknowledged"]["note"]
            acknowledged = await pager.wait_for(2)
            assert acknowledged[1].json()["event_action"] == "acknowledge"  # type: ignore[index]
            await amtool(base, "silence", "expire", silence)
            await until(lambda: has_it(daemon, None))
            assert (await daemon.until("pause"))["paused"] is True
            await heard(hook, 3)
    assert kinds(hook) == ["breaker.forced", "incident.acknowledged", "incident.unacknowledged"]
