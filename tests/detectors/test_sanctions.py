"""Sanctions: exact, dated, by chain; every party counts, nobody else does, and a new list replaces the old one."""

from collections.abc import Iterable

import msgspec
import pytest

from detectors.base import Finding, Severity, Watch
from detectors.events import Party, PartyList, Stage
from detectors.execution import Execution
from detectors.sanctions import Sanctions
from tests.support.executions import SENDER, address, call, execution, move

BANK, LISTED, TOKEN, ELSEWHERE = map(address, ("bank", "listed", "token", "elsewhere"))
CHAIN = execution(call(BANK, "ping()")).chain


def screened(deed: Execution, *parties: Party, action: str = "warn", name: str = "ofac") -> list[Finding]:
    """What is found of this deed with these parties listed and BANK watched."""
    screen = Sanctions({CHAIN: Watch(watched=frozenset({BANK}))}, action=action)
    assert list(screen.observe(PartyList(chain=CHAIN, at=0.0, name=name, version="1", parties=parties))) == []
    return list(screen.observe(deed))


@pytest.mark.parametrize(
    ("deed", "role"),
    [
        (execution(call(BANK, "deposit()"), sender=LISTED), "signed it"),
        (execution(call(ELSEWHERE, "go()", call(BANK, "pay()", call(LISTED, None, value=5)))), "was called"),
        (execution(call(BANK, "pay()", move(TOKEN, BANK, LISTED, 7))), "was named in an event"),
    ],
    ids=["sender", "payee", "token payee"],
)
def test_every_party_of_a_transaction_that_touches_what_is_watched_is_compared(deed: Execution, role: str) -> None:
    (found,) = screened(deed, Party(LISTED))
    assert (found.kind, found.subject, found.severity) == ("sanctioned_party", BANK, Severity.WARNING)
    assert (found.evidence["party"], found.evidence["role"], found.evidence["list"]) == (LISTED, role, "ofac")
    assert found.evidence["version"] == "1"


def test_without_logs_the_arguments_tell_who_is_paid() -> None:
    deed = execution(call(BANK, "transfer(address,uint256)", args=(LISTED, 7)))
    assert screened(deed, Party(LISTED)) == []
    (found,) = screened(msgspec.structs.replace(deed, logged=False), Party(LISTED))
    assert found.evidence["role"] == "was named in call data"


def test_nobody_is_matched_by_resemblance_nor_where_nothing_is_watched() -> None:
    near = LISTED[:-1] + ("0" if LISTED[-1] != "0" else "1")
    assert screened(execution(call(BANK, "ping()", call(near, None))), Party(LISTED)) == []
    assert screened(execution(call(ELSEWHERE, "ping()", call(LISTED, None))), Party(LISTED)) == []


@pytest.mark.parametrize(
    ("party", "hits"),
    [
        (Party(LISTED, since=10.0), 1), (Party(LISTED, since=10.1), 0),
        (Party(LISTED, until=10.0), 0), (Party(LISTED, until=10.1), 1),
        (Party(LISTED, chain=CHAIN), 1), (Party(LISTED, chain="eip155:424242"), 0),
    ],
)  # fmt: skip
def test_it_holds_from_its_first_moment_until_before_its_last_and_on_its_chain(party: Party, hits: int) -> None:
    deed = msgspec.structs.replace(execution(call(BANK, "deposit()"), sender=LISTED), at=10.0)
    assert len(screened(deed, party)) == hits


def test_it_pauses_only_where_that_was_asked_for_and_only_what_would_succeed() -> None:
    good = execution(call(BANK, "deposit()"), sender=LISTED)
    failed = execution(call(BANK, "deposit()", ok=False), sender=LISTED)
    told = [screened(deed, Party(LISTED), action=action)[0].severity for action in ("warn", "pause") for deed in (good, failed)]
    assert told == [Severity.WARNING, Severity.WARNING, Severity.CRITICAL, Severity.WARNING]
    with pytest.raises(ValueError, match="warn or pause"):
        Sanctions(action="explode")


def test_a_new_version_takes_the_whole_place_of_the_old_one_and_lists_stand_side_by_side() -> None:
    screen = Sanctions({CHAIN: Watch(watched=frozenset({BANK}))})
    deed = execution(call(BANK, "deposit()"), sender=LISTED)

    def after(*news: tuple[str, str, Iterable[Party]]) -> list[tuple[object, object]]:
        for name, version, parties in news:
            list(screen.observe(PartyList(chain=CHAIN, at=0.0, name=name, version=version, parties=tuple(parties))))
        return [(one.evidence["list"], one.evidence["version"]) for one in screen.observe(deed)]

    assert after(("ofac", "1", [Party(LISTED)])) == [("ofac", "1")]
    assert after(("eu", "9", [Party(LISTED)])) == [("eu", "9")], "one finding, of the first by name"
    assert after(("ofac", "2", []), ("eu", "10", [Party(SENDER)])) == []


def test_many_listed_parties_make_one_finding_that_names_a_few() -> None:
    crowd = [address(f"listed {n}") for n in range(200)]
    deed = execution(call(BANK, "go()", *(call(one, None) for one in crowd)))
    (found,) = screened(deed, *map(Party, crowd))
    assert found.evidence["parties"] == 200
    assert len(str(found.evidence["also"])) < 400
    assert found.stage is Stage.INCLUDED
