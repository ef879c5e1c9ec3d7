"""A small world for any detector: a chain with a bank, a pair, a vault and a lender, honest business, and attacks when asked for.

Seeded and endless; every block is a list of events in the order the shell gives them. Amounts are ether-sized integers.
"""

import random
from collections.abc import Iterator

from msgspec.structs import replace

from detectors.base import Watch
from detectors.events import Dropped, Event, Gap, Price, Stage, Tick, Transaction, Unjudged
from detectors.execution import Context, Execution
from detectors.execution.ledger import TRANSFER, ZERO
from detectors.invariants.states import SYNC
from tests.support.executions import ETHER, NATIVE, Call, address, call, execution, log, move, word
from tests.support.pools import CHAIN, Pair, Vault, block, committed, place, reading

BANK, PAIR, VAULT, LENDER, THIEF = map(address, ("bank", "pair", "vault", "lender", "thief"))
DOLLAR, COIN = sorted(map(address, ("dollar", "coin")))
WATCHED = {CHAIN: Watch(watched=frozenset((BANK, PAIR, VAULT, LENDER)))}
KEPT = 32
"""Blocks after which the world is final."""


class World:
    """The contracts' true state. `events(height)` makes the next block; `attack` robs somebody in it."""

    def __init__(self, seed: int = 0, fork: str = "") -> None:
        self.random = random.Random(seed)
        self.fork = fork
        self.bank = 1_000_000 * ETHER
        self.lent, self.pledged = 1_000_000 * ETHER, 500_000 * ETHER
        self.pair = Pair()
        self.pair.mint(3_000_000 * ETHER, 1_000_000 * ETHER)
        self.vault = Vault()
        self.vault.deposit(1_000_000 * ETHER)

    def events(self, height: int, *, attack: bool = False, fork: str = "") -> list[Event]:
        """One block: announced, executed, read at its end, committed."""
        deeds = [self._honest() for _ in range(self.random.randint(1, 4))]
        if attack:
            deeds.insert(self.random.randint(0, len(deeds)), self._theft())
        made: list[Event] = [block(height, fork)]
        made += [self._mined(deed, height, i, fork) for i, deed in enumerate([self._wallet(), *deeds])]
        made += [*self._readings(height, fork), self._noise(height), committed(height, height - KEPT, fork)]
        return made

    def rumours(self) -> Iterator[Execution]:
        """Pending transactions, of which no detector may keep anything."""
        saved = (self.bank, self.lent, self.pledged, replace_pair(self.pair), Vault(self.vault.assets, self.vault.shares))
        for deed in (self._honest(), self._theft()):
            yield replace(deed, stage=Stage.PENDING, position=None, index=None)
        self.bank, self.lent, self.pledged, self.pair, self.vault = saved

    def _mined(self, deed: Execution, height: int, index: int, fork: str) -> Execution:
        return replace(deed, position=place(height, fork), index=index, at=height * 12.0, tx=f"{deed.tx}-{fork}{height}-{index}")

    def _someone(self) -> str:
        return address(f"user {self.random.getrandbits(40)}")

    def _honest(self) -> Execution:
        return self.random.choice((self._swap, self._banking, self._saving, self._liquidity, self._loan))()

    def _theft(self) -> Execution:
        return self.random.choice((self._rob_bank, self._rob_pair, self._rob_vault))()

    def _swap(self) -> Execution:
        user, zero_in = self._someone(), bool(self.random.getrandbits(1))
        into = (self.pair.r0 if zero_in else self.pair.r1) * self.random.randint(1, 300) // 1000
        out = self.pair.swap(into, zero_in=zero_in)
        paid, got = (DOLLAR, COIN) if zero_in else (COIN, DOLLAR)
        return execution(
            call(
                PAIR,
                "swap(uint256,uint256,address,bytes)",
                move(got, PAIR, user, out),
                move(paid, user, PAIR, into),
                self._sync(),
            ),
            sender=user,
        )

    def _sync(self) -> Call:
        return call(PAIR, "sync()", log(SYNC, data=(self.pair.r0, self.pair.r1)))

    def _banking(self) -> Execution:
        user, amount = self._someone(), self.random.randint(1, 100) * ETHER
        if self.random.getrandbits(1):
            self.bank += amount
            return execution(call(BANK, "deposit()", value=amount), sender=user)
        self.bank -= amount
        return execution(call(BANK, "withdraw(uint256)", call(user, value=amount), args=(amount,)), sender=user)

    def _saving(self) -> Execution:
        user, before = self._someone(), Vault(self.vault.assets, self.vault.shares)
        if self.random.getrandbits(1):
            self.vault.deposit(self.random.randint(1, 1000) * ETHER)
        else:
            self.vault.redeem(self.vault.shares * self.random.randint(1, 300) // 1000)
        shares, assets = self.vault.shares - before.shares, self.vault.assets - before.assets
        moved = move(DOLLAR, user, VAULT, assets) if assets > 0 else move(DOLLAR, VAULT, user, -assets)
        return execution(call(VAULT, "use()", self._shares(user, shares), moved), sender=user)

    @staticmethod
    def _shares(user: str, amount: int, token: str = VAULT) -> Call:
        source, target = (ZERO, user) if amount > 0 else (user, ZERO)
        return call(token, "shares()", log(TRANSFER, "0x" + word(source), "0x" + word(target), data=(abs(amount),)))

    def _liquidity(self) -> Execution:
        user, before = self._someone(), replace_pair(self.pair)
        part = self.random.randint(1, 200)
        if self.random.getrandbits(1):
            self.pair.mint(self.pair.r0 * part // 1000, self.pair.r1 * part // 1000)
        else:
            self.pair.burn(self.pair.supply * part // 1000)
        fee = self.pair.fee_shares - before.fee_shares
        shares = self.pair.supply - before.supply - fee
        moves = []
        for token, delta in ((DOLLAR, self.pair.r0 - before.r0), (COIN, self.pair.r1 - before.r1)):
            moves.append(move(token, user, PAIR, delta) if delta > 0 else move(token, PAIR, user, -delta))
        paid = [self._shares(address("fee collector"), fee, PAIR)] if fee else []
        return execution(call(PAIR, "use()", *paid, self._shares(user, shares, PAIR), *moves, self._sync()), sender=user)

    def _loan(self) -> Execution:
        user, pledge = self._someone(), self.random.randint(1, 10_000) * ETHER
        loan = pledge * self.pair.r0 // self.pair.r1 // 4
        self.lent, self.pledged = self.lent - loan, self.pledged + pledge
        if self.lent < 500_000 * ETHER:
            back = 1_000_000 * ETHER - self.lent
            self.lent, self.pledged = self.lent + loan + back, self.pledged - pledge
            return execution(call(LENDER, "repay(uint256)", move(DOLLAR, user, LENDER, loan + back)), sender=user)
        return execution(call(LENDER, "open()", move(COIN, user, LENDER, pledge), move(DOLLAR, LENDER, user, loan)), sender=user)

    def _rob_bank(self) -> Execution:
        loot, self.bank = self.bank // 2, self.bank - self.bank // 2
        return execution(call(THIEF, "go()", call(BANK, "withdraw(uint256)", call(THIEF, value=loot))))

    def _rob_pair(self) -> Execution:
        loot = self.pair.r0 // 3
        self.pair.r0 -= loot
        return execution(call(THIEF, "go()", call(PAIR, "skim(address)", move(DOLLAR, PAIR, THIEF, loot), self._sync())))

    def _rob_vault(self) -> Execution:
        loot = self.vault.assets // 3
        self.vault.assets -= loot
        return execution(call(THIEF, "go()", call(VAULT, "rebalance()", move(DOLLAR, VAULT, THIEF, loot))))

    def _readings(self, height: int, fork: str) -> Iterator[Event]:
        reserves = {DOLLAR: self.pair.r0, COIN: self.pair.r1}
        yield reading(BANK, height, "holdings", {NATIVE: self.bank}, fork=fork)
        yield reading(LENDER, height, "holdings", {DOLLAR: self.lent, COIN: self.pledged}, fork=fork)
        yield reading(PAIR, height, "uniswap_v2", reserves, self.pair.supply, fork=fork, k_last=self.pair.k_last)
        idle = {DOLLAR: self.vault.assets}
        yield reading(VAULT, height, "erc4626", idle, self.vault.shares, fork=fork, total_assets=self.vault.assets)
        price = self.pair.r0 / self.pair.r1
        yield Price(chain=CHAIN, at=height * 12.0, position=place(height, fork), token=COIN, value=price, unit=DOLLAR)

    def _wallet(self) -> Execution:
        user = self._someone()
        return execution(call(self._someone(), value=self.random.randint(1, 10**18)), sender=user, context=Context())

    def _noise(self, height: int) -> Event:
        user, at = self._someone(), height * 12.0
        return self.random.choice((
            Tick(chain=Tick.EVERYWHERE, at=at),
            Gap(chain=CHAIN, at=at, feed="pending", lost=3, reason="queue full"),
            Dropped(chain=CHAIN, at=at, id=user, reason="replaced"),
            Unjudged(chain=CHAIN, at=at, id=user, stage=Stage.PENDING, reason="late", touches=(user,)),
            Transaction(
                chain=CHAIN, at=at, id=user, sender=user, to=BANK, value=0, input="0x", nonce=1, gas=21_000, max_fee=10**9
            ),
        ))  # fmt: skip


def replace_pair(pair: Pair) -> Pair:
    """A copy that goes its own way."""
    return Pair(pair.r0, pair.r1, pair.supply, pair.k_last, pair.fee_on, pair.fee_shares)
