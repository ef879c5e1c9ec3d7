"""Tokens: who may, until when, taken back while we run; and a pause that no flood of anything can keep waiting."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor import metrics
from monitor.api import problems, tokens
from monitor.api.budgets import MOST_KNOWN, RATES, Budgets
from monitor.api.reload import Reloads
from monitor.api.server import Listener, admin_app
from monitor.api.tokens import SLACK, Token, Tokens, configured, digest_of, fresh
from monitor.breaker.orders import Orders
from monitor.config import load
from monitor.errors import ConfigError
from tests.monitor.api.conftest import MEMBERS, SECRET, Doors


def token(name: str, secret: str, *scopes: str, expires: float | None = None) -> Token:
    """A token of this secret."""
    return Token(name=name, digest=digest_of(secret), scopes=frozenset(scopes), expires=expires)


@given(st.text(max_size=80))
def test_no_guess_is_anybodys_word(guess: str) -> None:
    known = Tokens([token("ops", "a-secret", "pause")])
    assert isinstance(known.holder(f"Bearer {guess}"), str) or guess.strip() == "a-secret"
    assert isinstance(known.holder(guess), str)
    assert isinstance(known.holder("Bearer a-secret"), Token)


def test_every_digest_is_compared_in_constant_time_whoever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def counted(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(tokens, "hmac", type("hmac", (), {"compare_digest": staticmethod(counted)}))
    known = Tokens([token(f"t{n}", f"secret-{n}", "pause") for n in range(5)])
    for offered in ("secret-0", "secret-4", "nobody", "", "x" * 10_000):
        known.holder(f"Bearer {offered}")
        assert compared == [(64, 64)] * 5
        compared.clear()


def test_a_token_opens_until_its_end_and_a_minute_for_our_clock() -> None:
    now = [1000.0]
    known = Tokens([token("ops", "s", "pause", expires=1000.0)], clock=lambda: now[0])
    now[0] += SLACK
    assert isinstance(known.holder("Bearer s"), Token)
    now[0] += 1
    assert "token ops ended at 1970-01-01T00:16:40+00:00" in str(known.holder("Bearer s"))


def test_what_is_not_named_any_more_is_revoked() -> None:
    known = Tokens([token("ops", "one", "pause"), token("bot", "two", "pause")])
    assert known.replace([token("ops", "three", "pause"), token("robot", "two", "pause")]) == ["ops"]
    assert isinstance(known.holder("Bearer one"), str)
    assert isinstance(known.holder("Bearer two"), Token)


def test_fresh_tokens_are_all_different_and_long() -> None:
    made = {fresh() for _ in range(1000)}
    assert len(made) == 1000
    assert min(map(len, made)) >= 8 + 43


@given(st.lists(st.tuples(st.sampled_from(sorted(RATES)), st.sampled_from("abc"), st.floats(0, 3)), max_size=300))
def test_nobody_gets_more_than_the_budget_and_no_budget_is_anothers(asks: list[tuple[str, str, float]]) -> None:
    now = [0.0]
    budgets = Budgets(lambda: now[0])
    alone: dict[tuple[str, str], Budgets] = {}
    granted: dict[tuple[str, str], int] = {}
    for kind, who, pause in asks:
        now[0] += pause
        own = alone.setdefault((kind, who), Budgets(lambda: now[0]))
        wait = budgets.spend(kind, who)
        assert wait == own.spend(kind, who), "what others spend changes nothing"
        granted[kind, who] = granted.get((kind, who), 0) + (wait == 0)
    for (kind, _), count in granted.items():
        assert count <= RATES[kind].burst + now[0] * RATES[kind].each_second + 1e-6


def test_budgets_of_a_million_addresses_take_no_more_room_than_some() -> None:
    budgets = Budgets(lambda: 0.0)
    for number in range(MOST_KNOWN + 1000):
        budgets.spend("refused", str(number))
    assert len(budgets._left) == MOST_KNOWN


async def flood(doors: Doors, token: str, action: str, times: int) -> list[int]:
    """The answers to so many orders at once."""

    async def one(number: int) -> int:
        url = f"{doors.admin.url}/v1/integrations/bank/{action}"
        body = {"reason": f"flood {number}"}
        async with doors.http.post(url, json=body, headers={"Authorization": f"Bearer {token}"}) as answer:
            return answer.status

    return [status for start in range(0, times, 20) for status in await asyncio.gather(*map(one, range(start, start + 20)))]


async def test_floods_of_guesses_resumes_and_anothers_pauses_leave_a_pause_its_budget(doors: Doors) -> None:
    assert set(await flood(doors, "guess", "pause", 60)) == {401, 429}
    assert set(await flood(doors, SECRET, "resume", 60)) == {200, 429}
    assert set(await flood(doors, "bot-secret", "pause", 120)) == {200, 429}
    answer = await doors.pause()
    assert (answer.status, doors.board.read()["bank"].state) == (200, "pause")
    late = await doors.resume()
    assert (late.status, int(late.headers["Retry-After"]) >= 1) == (429, True)
    reads = [doors.http.get(f"{doors.read.url}/v1/flags/bank") for _ in range(300)]
    assert {(await read).status for read in reads} == {200}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Authorization": ""}, 401),
    ],
)
async def test_what_another_sites_page_can_have_a_browser_send_pauses_and_resumes_nothing(
    doors: Doors, headers: dict[str, str], status: int
) -> None:
    await doors.pause()
    for action in ("pause", "resume"):
        url = f"{doors.admin.url}/v1/integrations/bank/{action}"
        sent = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"} | headers
        async with doors.http.post(url, data=b'{"reason":"x"}', headers=sent) as answer:
            assert (answer.status, answer.content_type) == (status, "application/problem+json")
            assert "Set-Cookie" not in answer.headers
            assert "Access-Control-Allow-Origin" not in answer.headers
    assert len(doors.desk.made) == 1


async def test_the_read_listener_has_no_route_that_changes_anything_and_no_cookie(doors: Doors) -> None:
    routes = {(r.method, r.resource.canonical) for r in doors.read._runner.app.router.routes() if r.resource is not None}
    assert {path.split("/flags")[0] for method, path in routes if method not in {"GET", "HEAD"}} == {"/ofrep/v1/evaluate"}
    async with doors.http.get(f"{doors.read.url}/") as answer:
        assert ("Set-Cookie" not in answer.headers, "<form" not in await answer.text()) == (True, True)
        assert (
            "form-action" in answer.headers["Content-Security-Policy"]
            or "default-src" in answer.headers["Content-Security-Policy"]
        )


@pytest.mark.parametrize("listener", ["read", "admin"])
async def test_a_half_sent_body_is_shut_out(doors: Doors, listener: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "BODY_WITHIN", 0.2)
    path = {"read": "/ofrep/v1/evaluate/flags", "admin": "/v1/integrations/bank/pause"}[listener]
    host, port = getattr(doors, listener).url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{".encode())
    async with asyncio.timeout(5):
        told = await reader.read()
    assert told.startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_body_that_is_too_long_is_refused(doors: Doors) -> None:
    answer = await doors.pause("x" * 70_000)
    assert (answer.status, answer.content_type) == (413, "application/problem+json")


class Reloading:
    """An admin listener over a configuration file that a test rewrites."""

    def __init__(self, path: Path, admin: Listener, http: aiohttp.ClientSession, reloads: Reloads) -> None:
        self.path, self.admin, self.http, self.reloads = path, admin, http, reloads

    def write(self, *entries: Mapping[str, object], **parts: object) -> None:
        """The file, with these tokens."""
        chains = {"test": {"id": "eip155:1", "nodes": [{"name": "one", "ws": "ws://127.0.0.1:1"}], "block_time": "1s"}}
        self.path.write_text(yaml.safe_dump({"version": 1, "chains": chains, "api": {"tokens": list(entries)}} | parts))

    async def ask(self, secret: str, path: str = "/-/reload") -> tuple[int, dict[str, object]]:
        """Post with this token."""
        async with self.http.post(self.admin.url + path, headers={"Authorization": f"Bearer {secret}"}) as answer:
            return answer.status, await answer.json()


ADMIN = {"name": "admin", "digest": "sha256:" + digest_of("the-admins"), "scopes": ["reload"]}
OPS = {"name": "ops", "digest": "sha256:" + digest_of("the-ops"), "scopes": ["resume"]}


@pytest.fixture
async def reloading(tmp_path: Path, doors: Doors) -> AsyncIterator[Reloading]:
    made = Reloading(tmp_path / "seawall.yaml", doors.admin, doors.http, None)  # type: ignore[arg-type]
    made.write(ADMIN, OPS)
    config = load(made.path, {})
    known = Tokens(configured(config))
    made.reloads = Reloads(config, known)
    made.admin = Listener("admin", admin_app(Orders(doors.desk, MEMBERS), known, reloads=made.reloads), "127.0.0.1:0")
    await made.admin.start()
    yield made
    await made.admin.stop()


async def test_a_token_is_revoked_and_another_taken_while_we_run(reloading: Reloading) -> None:
    async def may(secret: str) -> bool:
        async with reloading.http.get(
            f"{reloading.admin.url}/v1/approvals", headers={"Authorization": f"Bearer {secret}"}
        ) as answer:
            return answer.status == 200

    assert await may("the-ops")
    assert (await reloading.ask("the-ops"))[0] == 403
    late = {"name": "late", "digest": "sha256:" + digest_of("the-late"), "scopes": ["resume"]}
    reloading.write(ADMIN, late, policies={"default": {"pause_at": 0.9}})
    status, told = await reloading.ask("the-admins")
    assert (status, told) == (200, {"tokens": 2, "revoked": ["ops"], "waiting_for_restart": ["policies"]})
    assert (await may("the-ops"), await may("the-late")) == (False, True)
    assert metrics.RELOAD_OK._value.get() == 1


async def test_a_file_that_cannot_be_used_changes_nothing_and_is_told(reloading: Reloading) -> None:
    reloading.write(ADMIN | {"scopes": ["everything"]})
    status, told = await reloading.ask("the-admins")
    assert (status, "api.tokens[0].scopes[0]" in str(told["problems"])) == (422, True)
    assert metrics.RELOAD_OK._value.get() == 0
    reloading.path.write_text("{")
    with pytest.raises(ConfigError):
        await reloading.reloads.reload()
    reloading.write(ADMIN, OPS)
    assert (await reloading.ask("the-admins"))[0] == 200
    assert metrics.RELOAD_OK._value.get() == 1
    assert metrics.RELOADED_AT._value.get() <= time.time()
