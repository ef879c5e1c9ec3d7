"""U(tx): who is one party with the sender, and who never is."""

from msgspec.structs import replace

from detectors.base import Watch
from detectors.execution import Code, Context, Execution
from detectors.execution.parties import YOUNG, cluster
from tests.support.executions import SENDER, address, call, create, execution

ROOT, BANK, CHILD, OLD, OTHER = (address(name) for name in ("root", "bank", "child", "old", "other"))
ROUTER = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d"
ENTRY_POINT = "0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789"
ACCOUNT, PAYMASTER = address("account"), address("paymaster")


def deed(**codes: Code) -> Execution:
    event = execution(call(ROOT, "f()", create(CHILD), call(BANK, "g()")))
    return replace(event, context=Context(codes={address(name): code for name, code in codes.items()}))


def test_sender_target_and_what_was_made_are_one_party() -> None:
    assert cluster(deed(), Watch()) == {SENDER, ROOT, CHILD}


def test_a_registered_target_is_not() -> None:
    assert cluster(deed(), Watch(watched=frozenset({ROOT}))) == {SENDER, CHILD}
    assert cluster(deed(), Watch(trusted=frozenset({ROOT}))) == {SENDER, CHILD}


def test_where_everything_counts_as_watched_only_the_trusted_are_registered() -> None:
    assert ROUTER not in cluster(execution(call(ROUTER, "f()")), Watch())
    assert ROOT in cluster(execution(call(ROOT, "f()")), Watch(watched=None))


def test_young_code_is_the_initiators_and_unknown_age_is_not() -> None:
    assert OLD in cluster(deed(old=Code(age=YOUNG - 1)), Watch())
    assert OLD not in cluster(deed(old=Code(age=YOUNG)), Watch())
    assert OLD not in cluster(deed(old=Code()), Watch())
    assert OLD not in cluster(deed(old=Code(age=1.0)), Watch(watched=frozenset({OLD})))


def test_what_the_sender_or_the_targets_maker_made_is_theirs() -> None:
    assert OLD in cluster(deed(old=Code(deployer=SENDER)), Watch())
    assert OLD in cluster(deed(root=Code(deployer=OTHER), old=Code(deployer=OTHER)), Watch())
    assert OLD not in cluster(deed(root=Code(deployer=BANK), old=Code(deployer=OTHER)), Watch())


def test_a_team_that_made_a_registered_contract_speaks_for_nobody() -> None:
    codes = {"root": Code(deployer=OTHER), "bank": Code(deployer=OTHER), "old": Code(deployer=OTHER)}
    assert OLD not in cluster(deed(**codes), Watch(watched=frozenset({BANK})))


def test_a_bundle_acts_for_its_accounts_and_not_for_the_bundler() -> None:
    run = call(ENTRY_POINT, "0x1d732756", call(ACCOUNT, "0xb61d27f6", call(BANK, "g()")), call(PAYMASTER, "0xa9a23409"))
    bundle = execution(call(ENTRY_POINT, "0x1fad948c", call(ACCOUNT, "0x3a871cdd"), run))
    assert cluster(bundle, Watch()) == {ACCOUNT}


def test_nobody_acts_in_nothing() -> None:
    assert cluster(replace(deed(), frames=[]), Watch()) == frozenset()
