"""Who may say that an incident is in hands: whoever holds the key, and nobody else."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.acknowledgements import MOST_SIGNATURES, reply
from alerts.base import ForgedError, Reply, UnreadableError
from tests.support.replies import OURS, posted, signed

KEYS = [b"new-key", b"old-key"]


def said(body: bytes, secret: bytes = KEYS[0]) -> Reply | None:
    """What we make of a post."""
    return reply(KEYS, {"X-PagerDuty-Signature": signed(body, secret)}, body)


def test_an_acknowledgement_says_who_and_when_of_which_incident() -> None:
    got = said(posted("incident.acknowledged"))
    assert got == Reply(key="breaker/vault", taken_up=True, by="Ada Night", at=1_767_323_045.25)


@pytest.mark.parametrize(("kind", "taken_up"), [
    ("incident.acknowledged", True), ("incident.resolved", True),
    ("incident.unacknowledged", False), ("incident.reopened", False),
])  # fmt: skip
def test_what_people_do_there_is_a_taking_up_or_a_giving_back(kind: str, *, taken_up: bool) -> None:
    got = said(posted(kind))
    assert got is not None
    assert got.taken_up is taken_up


def test_a_service_that_groups_alerts_says_no_key_but_the_title() -> None:
    got = said(posted("incident.acknowledged", key=None, title="vault PAUSED: drained"))
    assert got == Reply(key="", taken_up=True, by="Ada Night", at=1_767_323_045.25, title="vault PAUSED: drained")
    keyed = said(posted("incident.acknowledged", title="vault PAUSED: drained"))
    assert keyed is not None
    assert keyed.title == "", "a key says it better"


@pytest.mark.parametrize("body", [
    posted("pagey.ping", data={"type": "ping", "message": "Hello from your friend Pagey!"}), posted("incident.annotated"),
    posted("incident.acknowledged", data={"incident_key": "somebody/elses"}), posted("incident.acknowledged", data={}),
])  # fmt: skip
def test_what_is_not_ours_is_nothing(body: bytes) -> None:
    assert said(body) is None


def test_both_keys_count_while_they_change_among_the_signatures_there_are() -> None:
    body = posted("incident.acknowledged")
    assert said(body, KEYS[1]) is not None
    several = f"v1={'0' * 64},{signed(body, KEYS[0])}"
    assert reply(KEYS, {"x-pagerduty-signature": several}, body) is not None


@pytest.mark.parametrize("header", [
    None, "", "v1=", "v1=" + "0" * 64, "v0=" + "0" * 64, "v1=é", ",".join(["v1=" + "0" * 64] * 10_000),
])  # fmt: skip
def test_a_forged_post_is_refused(header: str | None) -> None:
    with pytest.raises(ForgedError, match="x-pagerduty-signature"):
        reply(KEYS, {} if header is None else {"X-PagerDuty-Signature": header}, posted("incident.acknowledged"))


def test_a_signature_of_another_body_of_another_key_or_far_behind_is_forged() -> None:
    body = posted("incident.acknowledged")
    far = ",".join(["v1=" + "0" * 64] * MOST_SIGNATURES) + "," + signed(body, KEYS[0])
    for header in (signed(posted("incident.resolved"), KEYS[0]), signed(body, b"another"), far):
        with pytest.raises(ForgedError):
            reply(KEYS, {"X-PagerDuty-Signature": header}, body)
    with pytest.raises(ForgedError):
        reply([], {"X-PagerDuty-Signature": "v1=" + hmac.new(b"", body, hashlib.sha256).hexdigest()}, body)


@given(st.binary(max_size=300) | st.just(b"[" * 100_000) | st.just(b'{"event": {"event_type": "incident.acknowledged"}}'))
def test_signed_bytes_that_are_no_webhook_are_unreadable_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        said(body)


@given(st.text())
def test_a_hostile_name_is_made_harmless(name: str) -> None:
    body = json.loads(posted("incident.acknowledged"))
    body["event"]["agent"]["summary"] = name
    got = said(json.dumps(body).encode("utf-8", "surrogatepass"))
    assert got is not None
    assert 1 <= len(got.by) <= 100
    assert got.by.isprintable()


def test_the_builder_builds_what_pagerduty_documents() -> None:
    event = json.loads(posted("incident.acknowledged"))["event"]
    assert {"id", "event_type", "resource_type", "occurred_at", "agent", "client", "data"} == event.keys()
    assert event["data"]["incident_key"] == OURS
