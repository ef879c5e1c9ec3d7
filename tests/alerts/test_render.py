"""What an engineer woken at night reads."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.base import Fees, Kind, Sight
from alerts.render import FINDINGS, fees, notify, sight, trial
from detectors.base import Severity
from tests.alerts.test_text import HOSTILE
from tests.support.notices import TX, VAULT, finding, mined, notice, told


def test_a_pending_attack_is_told_with_its_numbers_its_contract_and_what_was_done() -> None:
    made = told()
    assert made.kind is Kind.OPENED
    assert made.severity is Severity.CRITICAL
    assert made.title == "aave-v3 PAUSED: re-entered before its balance was written"
    for part in (VAULT, TX, "12,345,678,901,234,567,890", "depth = 3", "0.41", "revision 17", "policy:standard", "told `pause`"):
        assert part in made.body, part
    assert "the pause came before its block" in made.body
    assert "https://runbooks.example.org/reentrancy" in made.body


def test_an_attack_seen_only_in_a_block_says_so() -> None:
    made = told(findings=(mined(), finding()))
    assert "already in block 21000000" in made.body
    assert "before its block" not in made.body


def test_labels_hold_only_what_stays_the_same() -> None:
    first, later = told(), told(revision=99, at=2e9, findings=(finding(tx="0x1", evidence={"lost": 9}),))
    assert first.labels == later.labels
    assert first.labels == {
        "alertname": "SeawallBreakerOpened",
        "severity": "critical",
        "integration": "aave-v3",
        "chain": "eip155:1",
        "detector": "reentrancy",
    }
    assert first.id != later.id


def test_the_same_decision_gives_the_same_notification() -> None:
    assert told() == told()


def test_shadow_says_that_nothing_was_done() -> None:
    made = told(shadow=True)
    assert made.kind is Kind.WOULD_OPEN
    assert made.severity is Severity.WARNING
    assert "flag was left alone" in made.body


def test_every_state_has_its_words() -> None:
    said = {after: told(after, "open") for after in ("open", "half_open", "closed", "forced_open", "forced_closed")}
    assert len({made.title for made in said.values()}) == len(said)
    assert [after for after, made in said.items() if made.resolved] == ["closed"]
    assert "forced open" in said["forced_open"].body
    assert said["forced_closed"].labels["alertname"] == "SeawallForcedClosed"


def test_closing_keeps_the_name_that_opening_had() -> None:
    assert told("closed", "forced_open").labels["alertname"] == told("forced_open").labels["alertname"]


def test_a_blind_chain_names_the_integrations_that_read_unknown() -> None:
    lost = sight(Sight(chain="eip155:1", blind=True, at=12.5, since=10.0, reason="no head for 2.5 s", integrations=("aave-v3",)))
    seen = sight(Sight(chain="eip155:1", blind=False, at=20.0, since=10.0, reason="head again", integrations=("aave-v3",)))
    assert (lost.kind, seen.kind, lost.resolved, seen.resolved) == (Kind.BLIND, Kind.RECOVERED, False, True)
    assert (lost.key, lost.labels) == (seen.key, seen.labels)
    assert lost.severity is Severity.CRITICAL
    assert "aave-v3" in lost.body
    assert "unknown" in lost.body


def test_a_test_cannot_be_taken_for_an_attack() -> None:
    made = trial(1.0)
    assert (made.kind, made.severity, made.findings) == (Kind.TEST, Severity.INFO, ())
    assert "Nothing is wrong" in made.body


def test_many_findings_are_told_strongest_first_and_counted() -> None:
    many = tuple(finding(f"n{i}", id=str(i), confidence=0.5 + i / 100) for i in range(40))
    made = told(findings=many)
    assert made.title.endswith("n39")
    assert made.body.count("\n* ") == FINDINGS
    assert f"And {40 - FINDINGS} more" in made.body
    assert len(made.findings) < len(many)


@given(HOSTILE, st.dictionaries(HOSTILE, HOSTILE | st.integers() | st.floats(), max_size=20))
def test_no_text_from_a_chain_breaks_the_words(text: str, evidence: dict[str, str | int | float]) -> None:
    made = notify(notice(reason=text, findings=(finding(text, evidence=evidence, subject=text, tx=text),)))
    assert "\n" not in made.title
    assert {c for c in made.body if not c.isprintable()} <= {"\n"}
    made.body.encode()
    assert made.labels["integration"] == "aave-v3"


def test_fees_that_left_their_forecast_are_told_as_advice_and_resolved_under_the_same_key() -> None:
    found = finding()
    told = fees(Fees(chain="eip155:1", at=20.0, since=20.0, finding=found))
    over = fees(Fees(chain="eip155:1", at=90.0, since=20.0))
    assert (told.severity, told.resolved, told.findings) == (found.severity, False, (found,))
    assert (over.resolved, over.key) == (True, told.key)
    assert "no flag has changed" in told.body
    assert found.title in told.title
