"""The ledger: whatever a transaction does, every asset's books sum to zero, and only what lives is entered."""

from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.execution import Context, Execution
from detectors.execution.ledger import BATCH, DEPOSIT, NATIVE, SINGLE, TRANSFER, WITHDRAWAL, WRAPPED, ZERO, flows
from tests.support.executions import Call, address, call, create, delegate, execution, log, move, selfdestruct, static, word

ALICE, BOB, BANK, TOKEN, NFT = map(address, ("alice", "bob", "bank", "token", "nft"))
WETH = WRAPPED["eip155:1"]


def topic(who: str) -> str:
    return "0x" + word(who)


PARTIES = st.sampled_from((ALICE, BOB, BANK, ZERO))
MOVES = st.lists(
    st.tuples(
        st.sampled_from(("erc20", "native", "dead", "nft", "many", "wrap", "unwrap")),
        PARTIES,
        PARTIES,
        st.integers(0, 2**256 - 1),
    ),
    max_size=12,
)


def node(kind: str, source: str, target: str, amount: int) -> Call:
    names = (topic(ALICE), topic(source), topic(target))
    return {
        "erc20": lambda: move(TOKEN, source, target, amount),
        "native": lambda: call(source, "act()", call(target, value=amount)),
        "dead": lambda: call(source, "act()", call(target, value=amount), move(TOKEN, source, target, amount), ok=False),
        "nft": lambda: call(NFT, "act()", log(TRANSFER, *names[1:], "0x" + word(amount))),
        "many": lambda: call(NFT, "act()", log(BATCH, *names, data=(64, 160, 2, 7, 8, 2, amount, 5))),
        "wrap": lambda: call(WETH, "deposit()", log(DEPOSIT, topic(source), data=(amount,)), value=amount),
        "unwrap": lambda: call(WETH, "withdraw(uint256)", log(WITHDRAWAL, topic(source), data=(amount,)), args=(amount,)),
    }[kind]()


def unlogged(whole: Execution) -> Execution:
    """As a node without logs shows it."""
    return msgspec.structs.replace(whole, logged=False, steps=[])


@given(moves=MOVES, logs=st.booleans())
def test_every_asset_sums_to_zero_and_supplies_change_by_mints_and_burns_alone(
    *, moves: list[tuple[str, str, str, int]], logs: bool
) -> None:
    whole = execution(call(BANK, "everything()", *(node(*m) for m in moves)))
    books = flows(whole if logs else unlogged(whole))
    assert set(books.sums().values()) <= {0}
    for token in (TOKEN, WETH):
        assert sum(books.net(token, who) for who in books.parties() - {ZERO}) == books.mints(token) - books.burns(token)


def test_only_frames_that_live_move_ether_and_code_that_is_borrowed_moves_none() -> None:
    whole = execution(
        call(BANK, "run()",
            call(ALICE, value=5),
            call(BOB, "try()", call(ALICE, value=7), ok=False),
            delegate(TOKEN, "lib()", call(BOB, value=2)),
            create(NFT, value=3),
            selfdestruct(ALICE, 11))
    )  # fmt: skip
    books = flows(whole)
    assert books.assets(ALICE) == {NATIVE: 16}
    assert books.assets(BANK) == {NATIVE: -21}
    assert books.assets(NFT) == {NATIVE: 3}
    assert books.losers() == {BANK: {NATIVE: 21}}
    assert books.party_gain((ALICE, BOB)) == {NATIVE: 18}


def test_without_logs_the_calls_say_what_moved_unless_their_answer_says_no() -> None:
    pull = call(TOKEN, "transferFrom(address,address,uint256)", args=(ALICE, BANK, 40))
    refused = call(TOKEN, "transfer(address,uint256)", args=(BOB, 9), returns=0)
    proxied = call(TOKEN, "transfer(address,uint256)", delegate(NFT, "transfer(address,uint256)", args=(BOB, 1)), args=(BOB, 1))
    books = flows(unlogged(execution(call(BANK, "run()", pull, refused, proxied))))
    assert books.assets(ALICE) == {TOKEN: -40}
    assert books.assets(BANK) == {TOKEN: 39}
    assert books.assets(BOB) == {TOKEN: 1}


def test_an_nft_is_one_unit_and_ids_of_an_erc1155_are_not_mixed() -> None:
    whole = execution(
        call(NFT, "act()",
            log(TRANSFER, topic(ALICE), topic(BOB), "0x" + word(77)),
            log(SINGLE, topic(ALICE), topic(ALICE), topic(BANK), data=(7, 3)),
            log(BATCH, topic(ALICE), topic(BANK), topic(BOB), data=(64, 160, 2, 7, 8, 2, 1, 5)))
    )  # fmt: skip
    books = flows(whole)
    assert books.assets(BOB) == {NFT: 1, f"{NFT}/7": 1, f"{NFT}/8": 5}
    assert books.assets(BANK) == {f"{NFT}/7": 2, f"{NFT}/8": -5}


def test_wrapped_coins_are_minted_and_burnt() -> None:
    books = flows(execution(call(WETH, "deposit()", log(DEPOSIT, topic(ALICE), data=(10,)), value=10)))
    assert (books.net(WETH, ALICE), books.net(NATIVE, WETH), books.mints(WETH), books.burns(WETH)) == (10, 10, 10, 0)


@given(st.lists(st.text("0x1_-gé", max_size=70), max_size=5), st.one_of(st.none(), st.text("0x1_- é", max_size=140)))
def test_nonsense_in_logs_is_counted_and_moves_nothing_out_of_balance(topics: list[str], data: str | None) -> None:
    hostile = [log(kind, *topics) for kind in (TRANSFER, DEPOSIT, WITHDRAWAL, SINGLE, BATCH)]
    hostile = [replace(step, data=data) for step in hostile]
    books = flows(execution(call(TOKEN, "act()", *hostile)))
    assert set(books.sums().values()) <= {0}
    assert books.unread > 0


def test_an_endless_batch_is_not_read() -> None:
    books = flows(execution(call(NFT, "a()", log(BATCH, *(topic(ALICE),) * 3, data=(64, 64, 2**255, 1)))))
    assert (bool(books), books.unread) == (False, 1)


def context(**of: dict[str, int]) -> Context:
    return Context(balances={TOKEN: of.get("token", {}), NATIVE: of.get("ether", {})})


def test_the_share_that_left_is_told_only_where_the_balance_before_is_known() -> None:
    theft = call(BANK, "take()", move(TOKEN, BANK, ALICE, 40))
    known = execution(theft, context=context(token={BANK: 100}))
    blind = execution(theft)
    quiet = execution(call(BANK, "look()", static(TOKEN, "balanceOf(address)", args=(BANK,))))
    assert flows(known).outflow_share(BANK, known) == 0.4
    assert flows(blind).outflow_share(BANK, blind) is None
    assert flows(quiet).outflow_share(BANK, quiet) == 0.0


def test_what_is_paid_for_by_value_or_shares_is_no_outflow() -> None:
    swap = execution(
        call(BANK, "swap()", move(TOKEN, BANK, ALICE, 40), call(ALICE, "pay()", call(BANK, value=38))),
        context=Context(balances={TOKEN: {BANK: 100}}, prices={TOKEN: 2.0, NATIVE: 2.0}),
    )
    assert flows(swap).outflow_share(BANK, swap) == 0.0
    redeem = execution(
        call(BANK, "redeem()", log(TRANSFER, topic(ALICE), topic(ZERO), data=(30,)), move(TOKEN, BANK, ALICE, 40)),
        context=Context(balances={TOKEN: {BANK: 100}}, supplies={BANK: 75}),
    )
    assert flows(redeem).outflow_share(BANK, redeem) == 0.0
