"""Re-entrancy, staged: every attack of the matrix is found, every benign double is let go."""

import pickle

import pytest
from msgspec.structs import replace

from detectors.base import Finding, Severity, Want, Watch
from detectors.events import Stage, Tick
from detectors.execution import Code, Execution
from detectors.reentrancy import Reentrancy
from tests.support.cast import BANK, THIEF
from tests.support.executions import ETHER, address, call, degraded, execution, pending, sload, sstore
from tests.support.look_alikes import LOOK_ALIKES, in_order
from tests.support.reentrancies import ATTACKS, Attack, beside_a_failure, single, spiral

EVERYTHING = Reentrancy({"eip155:1": Watch()})


def findings(event: Execution, detector: Reentrancy = EVERYTHING) -> list[Finding]:
    return [said for said in detector.observe(event) if isinstance(said, Finding)]


def worst(event: Execution, detector: Reentrancy = EVERYTHING) -> float:
    return max((finding.confidence for finding in findings(event, detector)), default=0.0)


@pytest.mark.parametrize("attack", [pytest.param(attack, id=name) for name, attack in ATTACKS.items()])
class TestEveryStagedAttack:
    """What holds for each of them."""

    def test_warns_and_names_victim_and_class_where_storage_order_is_known(self, attack: Attack) -> None:
        found = [f for f in findings(attack.stage()) if f.severity is not Severity.INFO]
        assert any(f.kind == attack.kind and attack.victim in f.victims for f in found)

    def test_warns_while_pending_just_as_when_mined(self, attack: Attack) -> None:
        mined, waiting = findings(attack.stage()), findings(pending(attack.stage()))
        assert [(f.id, f.confidence, f.evidence) for f in mined] == [(f.id, f.confidence, f.evidence) for f in waiting]
        assert {f.stage for f in waiting} == {Stage.PENDING}

    def test_warns_without_a_storage_tracer(self, attack: Attack) -> None:
        found = [f for f in findings(degraded(attack.stage())) if f.severity is not Severity.INFO]
        assert any(attack.victim in f.victims for f in found)

    def test_never_pauses_over_a_contract_nobody_watches(self, attack: Attack) -> None:
        elsewhere = Reentrancy({"eip155:1": Watch(watched=frozenset({address("something else")}))})
        assert all(f.severity is not Severity.CRITICAL for f in findings(attack.stage(), elsewhere))

    def test_tells_the_numbers_it_rests_on(self, attack: Attack) -> None:
        for finding in findings(attack.stage()):
            told = finding.evidence
            assert {"structural", "conflict", "economics", "depth"} <= told.keys()
            assert finding.title
            assert finding.kind in Reentrancy.kinds


PAUSED = sorted(set(ATTACKS) - {"7 ERC-721 safeMint"})  # nothing left the collection, so 0.7 is all that can be said


@pytest.mark.parametrize("name", PAUSED)
def test_storage_order_and_lost_money_together_pause(name: str) -> None:
    attack = ATTACKS[name]
    watching = Reentrancy({"eip155:1": Watch(watched=frozenset({attack.victim}))})
    assert any(f.severity is Severity.CRITICAL and attack.victim in f.victims for f in findings(attack.stage(), watching))


@pytest.mark.parametrize("name", sorted(LOOK_ALIKES))
def test_a_benign_double_is_at_most_information(name: str) -> None:
    assert worst(LOOK_ALIKES[name]()) < 0.5


@pytest.mark.parametrize("name", sorted(LOOK_ALIKES))
def test_a_benign_double_never_pauses_without_storage_order_either(name: str) -> None:
    assert worst(degraded(LOOK_ALIKES[name]())) < 0.8


def test_only_an_orderly_reentry_is_taken_for_more_while_its_storage_is_unseen() -> None:
    warned = [name for name in LOOK_ALIKES if worst(degraded(LOOK_ALIKES[name]())) >= 0.5]
    assert warned == ["42 checks, effects, interactions"]


def test_an_orderly_reentry_takes_its_warning_back_once_storage_is_seen() -> None:
    first, second = findings(degraded(in_order())), findings(in_order())
    assert {f.id for f in first} == {f.id for f in second}
    assert worst(degraded(in_order())) > worst(in_order())


def test_asks_for_storage_order_only_when_the_structure_is_suspicious() -> None:
    assert any(isinstance(said, Want) for said in EVERYTHING.observe(degraded(single())))
    assert not any(isinstance(said, Want) for said in EVERYTHING.observe(single()))
    assert list(EVERYTHING.observe(degraded(LOOK_ALIKES["32 swap"]()))) == []


def test_does_not_ask_twice() -> None:
    assert not any(isinstance(said, Want) for said in EVERYTHING.observe(replace(degraded(single()), supersedes=True)))


def test_a_spiral_that_pays_at_every_turn_pauses_even_without_storage_order() -> None:
    assert worst(degraded(single())) < 0.8 <= worst(degraded(spiral()))


def test_without_storage_order_a_known_outflow_of_five_percent_pauses() -> None:
    event = degraded(single())
    rich = replace(event.context, balances={"native": {BANK: 10_000 * ETHER}})
    poor = replace(event.context, balances={"native": {BANK: 100 * ETHER}})
    assert worst(replace(event, context=rich)) < 0.8 <= worst(replace(event, context=poor))


def test_money_that_does_not_count_leaves_a_warning() -> None:
    event = single()
    rich = replace(event.context, balances={"native": {BANK: 10**7 * ETHER}})
    assert 0.5 <= worst(replace(event, context=rich)) < 0.8


def test_a_failed_transaction_is_information() -> None:
    event = single()
    failed = [replace(frame, ok=frame.ok and frame.parent >= 0, alive=False) for frame in event.frames]
    assert {f.severity for f in findings(replace(event, frames=failed))} == {Severity.INFO}


def test_a_cut_trace_is_judged_by_its_tree() -> None:
    cut = replace(single(), complete=False)
    assert 0.5 <= worst(cut) < worst(single())


def test_storage_of_a_dead_attempt_is_not_held_against_anyone() -> None:
    dead = call(BANK, "withdraw()", sload(1, 10), sstore(1, 0), ok=False)
    event = execution(call(THIEF, "x()", call(BANK, "withdraw()", sload(1, 10), call(THIEF, None, dead, value=10), sstore(1, 5))))
    assert worst(event) < 0.5
    assert worst(beside_a_failure()) >= 0.8


def test_a_contract_sent_to_directly_is_robbed_by_a_hook_of_the_senders() -> None:
    """No contract of the thief stands above the bank; what gives it away is that the sender made it."""
    hook = address("hook")
    again = call(BANK, "withdraw()", sload(1, 10), call(hook, value=10), sstore(1, 0))
    event = execution(call(BANK, "withdraw()", sload(1, 10), call(hook, None, again, value=10), sstore(1, 0)))
    known = replace(event.context, codes={hook: Code(deployer=event.sender)})
    assert worst(event) < 0.5
    assert worst(replace(event, context=known)) >= 0.8


def test_is_the_same_after_pickling_and_ignores_what_it_does_not_want() -> None:
    twin = pickle.loads(pickle.dumps(EVERYTHING))  # noqa: S301 (our own bytes)
    assert findings(single(), twin) == findings(single())
    assert list(EVERYTHING.observe(Tick(chain="*", at=0.0))) == []


def test_without_a_registry_nothing_pauses() -> None:
    assert 0.5 <= worst(single(), Reentrancy()) < 0.8
