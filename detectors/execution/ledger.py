"""Who gained and who lost what in one transaction: a ledger of exact integers, read from logs, call values and call data."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from detectors.base import Watch
from detectors.execution.frames import CALL, CALLCODE, DELEGATECALL, STATICCALL, Execution, Frame, Log

NATIVE = "native"
"""The chain's own coin as an asset; tokens are their lower-case address, an ERC-1155 id is `<token>/<id>`."""

ZERO = "0x" + "0" * 40
"""Where mints come from and burns go to. It keeps books like anyone, so every asset sums to zero."""

UNKNOWN = "?"
"""The party to a native transfer that the producer could not name."""

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
DEPOSIT = "0xe1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c"
WITHDRAWAL = "0x7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65"
SINGLE = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
BATCH = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"

MOVES_NOTHING = frozenset((CALLCODE, DELEGATECALL, STATICCALL))
MOVES_TOKENS = {"0xa9059cbb": 2, "0x23b872dd": 3}
"""`transfer` and `transferFrom` by selector, with their number of arguments."""

WRAPS, UNWRAPS = "0xd0e30db0", "0x2e1a7d4d"
WRAPPED = {"eip155:1": "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"}
"""The wrapped coin by chain: needed only where no logs were recorded."""

WORDS = 1 << 256
"""Amounts are below this, or they are no amounts."""

BATCH_LIMIT = 1024
"""ERC-1155 entries read of one batch log; a longer one is counted as unread."""


Move = tuple[str, str, str, int]
"""(asset, source, target, amount) of one movement."""


class Ledger:
    """Signed changes per asset and address, in base units, and the `moves` they come from.

    `moves` are native transfers in the order of their frames, then tokens in the order of their logs. `unread` counts records
    that move something but made no sense.
    """

    __slots__ = ("_burnt", "_minted", "_nets", "moves", "unread")

    def __init__(self) -> None:
        self._nets: dict[str, dict[str, int]] = {}
        self._minted: dict[str, int] = {}
        self._burnt: dict[str, int] = {}
        self.moves: list[Move] = []
        self.unread = 0

    def __bool__(self) -> bool:
        return bool(self._nets)

    def move(self, asset: str, source: str, target: str, amount: int) -> None:
        """Enter one movement of `amount` base units. From `ZERO` it is a mint, to `ZERO` a burn. No 256-bit number: unread."""
        if not 0 < amount < WORDS:
            self.unread += amount != 0
            return
        self.moves.append((asset, source, target, amount))
        nets = self._nets.setdefault(asset, {})
        nets[source] = nets.get(source, 0) - amount
        nets[target] = nets.get(target, 0) + amount
        if source == ZERO:
            self._minted[asset] = self._minted.get(asset, 0) + amount
        if target == ZERO:
            self._burnt[asset] = self._burnt.get(asset, 0) + amount

    def net(self, asset: str, address: str) -> int:
        """What this address gained (or lost, negative) of one asset."""
        nets = self._nets.get(asset)
        return nets.get(address, 0) if nets else 0

    def assets(self, address: str) -> dict[str, int]:
        """Everything that changed for one address: asset -> signed amount, never zero."""
        return {asset: nets[address] for asset, nets in self._nets.items() if nets.get(address)}

    def party_gain(self, addresses: Iterable[str]) -> dict[str, int]:
        """What a party of addresses gained together: asset -> signed amount, never zero."""
        party = tuple(addresses)
        sums = {asset: sum(nets.get(a, 0) for a in party) for asset, nets in self._nets.items()}
        return {asset: amount for asset, amount in sums.items() if amount}

    def losers(self) -> dict[str, dict[str, int]]:
        """Who ended with less of something: address -> asset -> amount lost (positive). `ZERO` is nobody."""
        lost: dict[str, dict[str, int]] = {}
        for asset, nets in self._nets.items():
            for address, amount in nets.items():
                if amount < 0 and address != ZERO:
                    lost.setdefault(address, {})[asset] = -amount
        return lost

    def gainers(self, asset: str) -> dict[str, int]:
        """Who ended with more of one asset: address -> amount gained."""
        return {a: amount for a, amount in self._nets.get(asset, {}).items() if amount > 0 and a != ZERO}

    def parties(self) -> set[str]:
        """Everyone who appears in the books."""
        return set().union(*self._nets.values())

    def mints(self, token: str) -> int:
        """Units of a token that came into being (gross)."""
        return self._minted.get(token, 0)

    def burns(self, token: str) -> int:
        """Units of a token that were destroyed (gross)."""
        return self._burnt.get(token, 0)

    def bystanders(self, token: str) -> int:
        """Units of a token that were minted to addresses to which nothing else happened: how a protocol's fee is paid."""
        minted = {t for asset, source, t, _ in self.moves if asset == token and source == ZERO and t != ZERO}
        alone = [self.net(token, t) for t in minted if len(self.assets(t)) == 1]
        return sum(amount for amount in alone if amount > 0)

    def sums(self) -> Mapping[str, int]:
        """Asset -> sum over every address, `ZERO` included: zero for all of them, whatever the chain says."""
        return {asset: sum(nets.values()) for asset, nets in self._nets.items()}

    def outflow_share(self, victim: str, execution: Execution) -> float | None:
        """The largest share (0..1) of a balance that left `victim` and did not come back in value.

        None when something left and no balance before the transaction is known for it: unknown is not zero.
        """
        worst, blind = 0.0, False
        for asset, amount in self.assets(victim).items():
            if amount >= 0:
                continue
            before = execution.context.balances.get(asset, {}).get(victim)
            if not before or before < 0:
                blind = True
                continue
            if not self._paid_for(victim, execution, asset):
                worst = max(worst, min(1.0, -amount / before))
        return worst if worst or not blind else None

    def _paid_for(self, victim: str, execution: Execution, asset: str) -> bool:
        """By value at the prices before the transaction (nine tenths will do), or by shares burnt in proportion."""
        prices, supply = execution.context.prices, execution.context.supplies.get(victim, 0)
        changes = self.assets(victim)
        out = sum(-n * prices.get(a, 0.0) for a, n in changes.items() if n < 0)
        back = sum(n * prices.get(a, 0.0) for a, n in changes.items() if n > 0)
        if out > 0 and asset in prices and back >= 0.9 * out:
            return True
        if supply <= 0:
            return False
        burnt = (self.burns(victim) - self.mints(victim)) / supply
        return -changes[asset] / execution.context.balances[asset][victim] <= burnt + 0.005 and burnt > 0


def flows(execution: Execution) -> Ledger:
    """The ledger of a transaction: what lives of it. Dead frames moved nothing.

    >>> from detectors.events import Stage
    >>> pay = Frame("CALL", "0xe1", "0xb0", "0xb0", 7, None, "0x", True, True, -1, 0)
    >>> books = flows(Execution(chain="eip155:1", at=0.0, tx="0x1", stage=Stage.PENDING, frames=[pay]))
    >>> books.net(NATIVE, "0xb0"), books.net(NATIVE, "0xe1")
    (7, -7)
    """
    ledger, frames, logged = Ledger(), execution.frames, execution.logged
    for frame in frames:
        if frame.value and frame.alive and frame.type not in MOVES_NOTHING:
            ledger.move(NATIVE, _payer(frame, frames), frame.to or UNKNOWN, frame.value)
        if not logged and frame.selector in _TELLING and frame.alive:
            _called(ledger, execution.chain, frame)
    if logged:
        for step in execution.steps:
            if step.__class__ is Log and step.topics and step.topics[0] in _READ and frames[step.frame].alive:
                try:
                    _READ[step.topics[0]](ledger, step)
                except (ValueError, IndexError):
                    ledger.unread += 1
    return ledger


class Moved(NamedTuple):
    """A movement in its place: after `before` frames had been entered, by frame number `frame`."""

    before: int
    frame: int
    asset: str
    source: str
    target: str
    amount: int


def in_order(execution: Execution) -> list[Moved]:
    """Every movement of a transaction in execution order."""
    frames, logged = execution.frames, execution.logged
    ledger, told = Ledger(), list[Moved]()
    for i, step in execution.walk():
        frame = frames[i]
        if not frame.alive:
            continue
        if step is None:
            if frame.value and frame.type not in MOVES_NOTHING:
                ledger.move(NATIVE, _payer(frame, frames), frame.to or UNKNOWN, frame.value)
            if not logged and frame.selector in _TELLING:
                _called(ledger, execution.chain, frame)
        elif logged and step.__class__ is Log and step.topics and step.topics[0] in _READ:
            try:
                _READ[step.topics[0]](ledger, step)
            except (ValueError, IndexError):
                ledger.unread += 1
        if ledger.moves:
            told += [Moved(i if step is None else step.before, i, *move) for move in ledger.moves]
            ledger.moves.clear()
    return told


def kept_at_home(ledger: Ledger, watch: Watch, party: frozenset[str], address: str) -> dict[str, int]:
    """Asset -> what `address` itself sent to the operator's own contracts, which keep it: moved, not lost.

    Only where the initiator gains nothing and the receiver mints no shares for it: else it is somebody's deposit.
    """
    named = watch.watched or frozenset()
    kept: dict[str, int] = {}
    if any(amount > 0 for amount in ledger.party_gain(party).values()):
        return kept
    for asset, source, target, amount in ledger.moves:
        if source == address and (target in named or target in watch.trusted) and not ledger.mints(target):
            kept[asset] = kept.get(asset, 0) + min(amount, max(0, ledger.net(asset, target)))
    return kept


def word(data: str | None, at: int) -> int:
    """The `at`-th 32-byte word of hex data. Raises ValueError when the data ends before it or is not plain hex."""
    digits = (data or "")[2 + 64 * at : 66 + 64 * at]
    if len(digits) != 64 or not digits.isalnum():
        raise ValueError("no such word")
    return int(digits, 16)


def _payer(frame: Frame, frames: list[Frame]) -> str:
    return frame.sender or (frames[frame.parent].ctx if frame.parent >= 0 else None) or UNKNOWN


def _address(topic: str) -> str:
    if len(topic) != 66:
        raise ValueError(topic[:80])
    return "0x" + topic[26:]


def _transfer(ledger: Ledger, log: Log) -> None:
    """Four topics are an ERC-721 (one unit, whichever id), three an ERC-20; anything else cannot be told apart."""
    topics = log.topics
    if len(topics) not in (3, 4):
        raise ValueError("neither ERC-20 nor ERC-721")
    ledger.move(log.address, _address(topics[1]), _address(topics[2]), 1 if len(topics) == 4 else word(log.data, 0))


def _deposit(ledger: Ledger, log: Log) -> None:
    ledger.move(log.address, ZERO, _address(log.topics[1]), word(log.data, 0))


def _withdrawal(ledger: Ledger, log: Log) -> None:
    ledger.move(log.address, _address(log.topics[1]), ZERO, word(log.data, 0))


def _single(ledger: Ledger, log: Log) -> None:
    asset = f"{log.address}/{word(log.data, 0)}"
    ledger.move(asset, _address(log.topics[2]), _address(log.topics[3]), word(log.data, 1))


def _batch(ledger: Ledger, log: Log) -> None:
    source, target = _address(log.topics[2]), _address(log.topics[3])
    ids, amounts = (_array(log.data, word(log.data, at)) for at in (0, 1))
    if len(ids) != len(amounts):
        raise ValueError("as many amounts as ids")
    for token_id, amount in zip(ids, amounts, strict=True):
        ledger.move(f"{log.address}/{token_id}", source, target, amount)


def _array(data: str | None, offset: int) -> list[int]:
    if offset % 32 or offset > 64 * BATCH_LIMIT:
        raise ValueError("array offset")
    start = offset // 32
    length = word(data, start)
    if length > BATCH_LIMIT:
        raise ValueError("array length")
    return [word(data, start + 1 + i) for i in range(length)]


def _called(ledger: Ledger, chain: str, frame: Frame) -> None:
    """Where nobody recorded logs, a successful call of a token says what it moved, unless its answer says it did not."""
    token, sender = frame.to, frame.sender
    if frame.type != CALL or token is None or sender is None:
        return
    try:
        if frame.selector in MOVES_TOKENS:
            if frame.output and len(frame.output) == 66 and not int(frame.output, 16):
                return
            _transferred(ledger, token, sender, _arguments(frame, MOVES_TOKENS[frame.selector]))
        elif token == WRAPPED.get(chain):
            if frame.selector == WRAPS:
                ledger.move(token, ZERO, sender, frame.value)
            else:
                ledger.move(token, sender, ZERO, *_arguments(frame, 1))
    except ValueError:
        ledger.unread += 1


def _arguments(frame: Frame, count: int) -> list[int]:
    data = frame.input or ""
    if len(data) < 10 + 64 * count:
        raise ValueError("call data too short")
    return [word("0x" + data[a:b], 0) for a, b in pairwise(range(10, 11 + 64 * count, 64))]


def _transferred(ledger: Ledger, token: str, sender: str, arguments: list[int]) -> None:
    parties = [f"0x{number & (1 << 160) - 1:040x}" for number in arguments[:-1]]
    source = parties[0] if len(parties) == 2 else sender
    ledger.move(token, source, parties[-1], arguments[-1])


_TELLING = frozenset((*MOVES_TOKENS, WRAPS, UNWRAPS))
_READ = {TRANSFER: _transfer, DEPOSIT: _deposit, WITHDRAWAL: _withdrawal, SINGLE: _single, BATCH: _batch}
