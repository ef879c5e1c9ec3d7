"""What a chain makes of earlier findings: surer stages, replaced blocks, one retraction for what did not come back."""

import msgspec
import pytest

from detectors.base import Finding
from detectors.events import Committed, Reverted, Stage
from monitor.breaker.evidence import Orphaned, orphaned, retracted, staged, with_orphans, with_stages, without
from monitor.breaker.fold import Fold, Noted
from monitor.breaker.holds import Mode
from monitor.breaker.machine import KEPT_FINDINGS, KEPT_UNSETTLED, Breaker, with_findings
from monitor.journal.base import encode
from tests.support.findings import CHAIN, finding, position


def knows(*found: Finding) -> Breaker:
    return with_findings(Breaker(integration="bank", mode=Mode.ENFORCE), found)


def commit(height: int, *, safe: int = -1, final: int = -1, fork: str = "") -> Committed:
    here = position(height, fork)
    return Committed(chain=CHAIN, at=1000.0 + height, first=here, last=here, safe=safe, finalized=final)


def revert(first: int, last: int) -> Reverted:
    return Reverted(chain=CHAIN, at=1012.0, first=position(first), last=position(last))


def lose(breaker: Breaker, event: Reverted | Committed) -> Breaker:
    news = orphaned(breaker, event, 2)
    assert news is not None
    return with_orphans(breaker, news)


def test_a_finding_grows_surer_with_the_chain_and_never_less_sure() -> None:
    breaker, seen = knows(finding(0.6, height=10)), []
    for event in (commit(11), commit(12, safe=9), commit(13, safe=10), commit(14, safe=9), commit(15, safe=12, final=10)):
        news = staged(breaker, event)
        breaker = breaker if news is None else with_stages(breaker, news)
        seen.append(breaker.findings[0].stage)
    assert seen == [Stage.INCLUDED, Stage.INCLUDED, Stage.SAFE, Stage.SAFE, Stage.FINAL]


def test_what_is_pending_or_of_another_chain_grows_no_surer() -> None:
    foreign = msgspec.structs.replace(finding(0.6, tx="0xother"), chain="eip155:5")
    assert staged(knows(finding(0.6, stage=Stage.PENDING), foreign), commit(99, safe=99, final=99)) is None


def test_an_orphaned_finding_is_retracted_once_when_the_new_branch_has_outgrown_the_old() -> None:
    breaker = lose(knows(finding(0.6, height=10)), revert(9, 11))
    told = []
    for height in range(9, 20):
        for news in list(retracted(breaker, commit(height))):
            told.append((height, news.finding.id))
            breaker = without(breaker, news)
    assert told == [(13, finding().id)]
    assert breaker.findings == ()
    assert [news.finding.id for news in breaker.retracted] == [finding().id]


def test_a_finding_whose_transaction_is_mined_again_lives_on() -> None:
    breaker = lose(knows(finding(0.6, height=10)), revert(9, 11))
    assert breaker.findings[0].position is None
    breaker = with_findings(breaker, [finding(0.6, height=12)])
    assert breaker.orphans == {}
    assert [list(retracted(breaker, commit(height))) for height in range(12, 20)] == [[]] * 8


def test_pending_again_is_not_mined_again() -> None:
    breaker = lose(knows(finding(0.6, height=10)), revert(9, 11))
    breaker = with_findings(breaker, [finding(0.6, stage=Stage.PENDING)])
    assert len(list(retracted(breaker, commit(13)))) == 1


def test_a_block_replaced_while_we_were_away_is_noticed_when_another_stands_at_its_height() -> None:
    breaker = knows(finding(0.6, height=10))
    assert orphaned(breaker, commit(10), 2) is None, "it is that very block"
    breaker = lose(breaker, commit(10, fork="f"))
    assert [news.finding.id for news in retracted(breaker, commit(12, fork="f"))] == [finding().id]


def test_a_flood_of_findings_does_not_push_out_what_may_still_have_to_be_retracted() -> None:
    first = finding(0.6, tx="0xfirst", height=10)
    noise = [finding(0.6, tx=f"0x{n}", stage=Stage.PENDING) for n in range(3 * KEPT_FINDINGS)]
    breaker = knows(first, *noise)
    assert first in breaker.findings
    assert len(breaker.findings) <= KEPT_FINDINGS + 1
    assert len(knows(*(finding(0.6, tx=f"0x{n}") for n in range(2 * KEPT_UNSETTLED))).findings) == KEPT_UNSETTLED


@pytest.mark.parametrize("again", [False, True], ids=["once", "after a restart"])
def test_the_journal_alone_brings_it_all_back(*, again: bool) -> None:
    """Fold the records a second time: the same breaker, so a restart neither forgets an orphan nor retracts one twice."""
    fold, records = Fold({"bank": Mode.ENFORCE}), list[tuple[str, bytes]]()

    def keep(note: msgspec.Struct, kind: str) -> None:
        records.append((kind, encode(note)))
        fold.apply_record(*records[-1], fold.head + 1)

    keep(Noted("bank", finding(0.6, height=10)), "finding")
    news = orphaned(fold.breaker("bank"), revert(9, 11), 2)
    assert news is not None
    keep(news, Orphaned.kind)
    for one in retracted(fold.breaker("bank"), commit(13)):
        keep(one, one.kind)
    folded = fold
    if again:
        folded = Fold({"bank": Mode.ENFORCE})
        for number, (kind, body) in enumerate(records, 1):
            folded.apply_record(kind, body, number)
    breaker = folded.breaker("bank")
    assert (breaker.orphans, breaker.findings, len(breaker.retracted)) == ({}, (), 1)
    assert breaker == fold.breaker("bank")
