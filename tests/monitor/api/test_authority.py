"""Whose word counts: one pauses, two resume what is critical, a service only takes back its own, and a bypass has an end."""

import time
from typing import Any

import pytest

from monitor.api.tokens import Token, digest_of
from monitor.breaker.fold import Noted
from monitor.breaker.holds import Decision
from monitor.breaker.policy import Rules, judge, tick
from tests.monitor.api.conftest import TOKENS, Doors
from tests.support.findings import BANK, CHAIN, finding


async def found(doors: Doors, integration: str = "bank") -> None:
    """A detector pauses it."""

    def propose() -> tuple[list[Decision], list[Noted]]:
        decision, _ = judge(doors.desk.fold.breaker(integration), [finding(at=time.time())], Rules(), time.time(), 10, "default")
        return [decision] if decision else [], []

    await doors.desk.decide(propose)


async def post(doors: Doors, path: str, token: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    """An order; its status and answer."""
    headers = {"Authorization": f"Bearer {token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with doors.http.post(f"{doors.admin.url}{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_critical_integration_is_resumed_by_two_and_for_the_state_both_saw(doors: Doors) -> None:
    await found(doors, "vault")
    status, asked = await post(doors, "/v1/integrations/vault/resume", "wall-and-sea", {"reason": "fixed"})
    assert (status, asked["action"], doors.board.read()["vault"].state) == (202, "resume", "pause")
    status, same = await post(doors, f"/v1/approvals/{asked['approval']}", "wall-and-sea", {"actor": "someone else"})
    assert (status, doors.board.read()["vault"].state) == (409, "pause"), same
    status, done = await post(doors, f"/v1/approvals/{asked['approval']}", "second-person", {})
    assert (status, done["state"]) == (200, "run")
    assert doors.desk.made[-1].decision.by == "human:ops, approved by deputy"
    status, _ = await post(doors, f"/v1/approvals/{asked['approval']}", "second-person", {})
    assert status == 404


async def test_an_approval_of_an_older_state_is_off(doors: Doors) -> None:
    await found(doors, "vault")
    _, asked = await post(doors, "/v1/integrations/vault/resume", "wall-and-sea", {"reason": "fixed"})
    await post(doors, "/v1/integrations/vault/pause", "bot-secret", {"reason": "it goes on"})
    status, _ = await post(doors, f"/v1/approvals/{asked['approval']}", "second-person", {})
    assert (status, doors.board.read()["vault"].state) == (404, "pause")


async def test_glass_is_broken_by_one_and_pages_everybody(doors: Doors) -> None:
    await found(doors, "vault")
    order = {"reason": "money stands still", "break_glass": True}
    status, done = await post(doors, "/v1/integrations/vault/resume", "wall-and-sea", order)
    assert (status, done["state"]) == (200, "run")
    assert "glass broken" in doors.desk.made[-1].decision.page


async def test_a_service_releases_only_what_it_ordered(doors: Doors) -> None:
    await found(doors)
    await post(doors, "/v1/integrations/bank/pause", "robot-secret", {"reason": "queue is full"})
    status, done = await post(doors, "/v1/integrations/bank/resume", "robot-secret", {"reason": "queue is empty"})
    assert (status, done["state"], done["breaker"]) == (200, "pause", "open"), "the detector's hold is not the robot's"
    status, _ = await post(doors, "/v1/integrations/bank/override", "robot-secret", {"reason": "x", "ttl": 5}, If_Match='"1"')
    assert status in {409, 412}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/integrations/bank/pause", {"reason": "x"}),
        ("/v1/integrations/bank/resume", {"reason": "x"}),
        ("/v1/integrations/bank/override", {"reason": "x", "ttl": 5}),
        ("/v1/approvals/any", {}),
        ("/v1/incidents/any/acknowledge", {}),
    ],
)
async def test_a_service_orders_in_no_name_but_its_own(doors: Doors, path: str, body: dict[str, Any]) -> None:
    status, told = await post(doors, path, "robot-secret", body | {"actor": "batch"})
    assert (status, "leave actor out" in told["detail"]) == (403, True)
    assert not doors.desk.made
    for own in (None, "", "robot"):
        status, _ = await post(doors, path, "robot-secret", body | {"actor": own})
        assert status != 403, "its own name is no other's"


async def test_a_service_releases_no_other_services_hold_under_its_name(doors: Doors) -> None:
    batch = Token(name="batch", digest=digest_of("batch-secret"), scopes=frozenset({"pause"}), automated=True)
    doors.tokens.replace([*TOKENS, batch])
    await post(doors, "/v1/integrations/bank/pause", "batch-secret", {"reason": "settlement does not add up"})
    status, _ = await post(doors, "/v1/integrations/bank/resume", "robot-secret", {"reason": "x", "actor": "batch"})
    assert (status, doors.board.read()["bank"].state) == (403, "pause")
    assert [made.decision.by for made in doors.desk.made] == ["service:batch"]


async def test_one_token_is_one_person_whatever_names_it_gives(doors: Doors) -> None:
    await found(doors, "vault")
    _, asked = await post(doors, "/v1/integrations/vault/resume", "wall-and-sea", {"reason": "fixed", "actor": "ann"})
    for actor in ("bob", None, "deputy"):
        status, _ = await post(doors, f"/v1/approvals/{asked['approval']}", "wall-and-sea", {"actor": actor})
        assert (status, doors.board.read()["vault"].state) == (409, "pause")


async def test_the_same_idempotency_key_is_the_same_hold(doors: Doors) -> None:
    for _ in range(3):
        status, _ = await post(doors, "/v1/integrations/bank/pause", "wall-and-sea", {"reason": "drill"}, Idempotency_Key="k1")
        assert status == 200
    assert len(doors.desk.fold.breaker("bank").holds) == 1


async def test_a_bypass_needs_the_revision_has_an_end_and_never_covers_a_person(doors: Doors) -> None:
    await found(doors)
    order = {"reason": "known false alarm", "ttl": 600}
    status, _ = await post(doors, "/v1/integrations/bank/override", "wall-and-sea", order)
    assert status == 428
    revision = doors.board.read()["bank"].revision
    status, done = await post(doors, "/v1/integrations/bank/override", "wall-and-sea", order, If_Match=f'"{revision}"')
    assert (status, done["state"], done["breaker"]) == (200, "run", "forced_closed")
    breaker = doors.desk.fold.breaker("bank")
    back = tick(breaker, Rules(), time.time() + 601, {CHAIN: 0}, "default")
    assert back is not None
    assert back.after == "open", "what was found meanwhile holds again"
    await doors.pause("robbery")
    assert doors.board.read()["bank"].state == "pause", "a person's pause goes through a bypass"
    revision = doors.board.read()["bank"].revision
    status, _ = await post(doors, "/v1/integrations/bank/override", "wall-and-sea", order, If_Match=f'"{revision}"')
    assert status == 409


@pytest.mark.parametrize(("scope", "hit"), [("everything", {"bank", "pool.v2", "vault"}), (f"chain:{CHAIN}", {"bank", "vault"}),
                                            (f"contract:{BANK}", {"bank"})])  # fmt: skip
async def test_a_scope_pauses_everything_in_it(doors: Doors, scope: str, hit: set[str]) -> None:
    status, done = await post(doors, f"/v1/integrations/{scope}/pause", "wall-and-sea", {"reason": "chain halted"})
    assert status == 200
    shown = {one["integration"] for one in done["integrations"]} if "integrations" in done else {done["integration"]}
    assert shown == hit
    assert {name for name, flag in doors.board.read().items() if flag.state == "pause"} == hit


async def test_a_pause_that_only_throttles_leaves_the_flag_on_run(doors: Doors) -> None:
    status, done = await post(
        doors, "/v1/integrations/bank/pause", "wall-and-sea", {"reason": "slow", "level": "throttle", "share": 0.25}
    )
    assert (status, done["state"], done["level"]) == (200, "run", "throttle")
    assert doors.board.read()["bank"].max_share == 0.25
