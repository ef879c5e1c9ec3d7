"""One chain's fees, live: verified headers in, the newest outlook out, advice on request. No I/O, no clock."""

from collections import deque

import msgspec

from detectors.gas import exact, sending
from detectors.gas.arbitrum import Backlog, Reading, follow
from detectors.gas.blobs import BlobFees, BlobHeader
from detectors.gas.exact import MAINNET_BLOBS, BlobParams, OpParams
from detectors.gas.features import Clock, Header
from detectors.gas.forecast import Answering, Forecast, Forecaster
from detectors.gas.model import Cold, Model
from detectors.gas.priority import PriorityFees
from monitor.chains.base import BlockData
from monitor.config import GasConfig
from monitor.gas.answers import Advised, Blobs, Block, Fitted, Inclusion, Outlook, Question, Spread, Tips
from monitor.gas.history import Tipped
from monitor.gas.scoreboard import Scoreboard

RECENT = 180
"""Base fees that go with an outlook, for whoever draws it."""

BLOBS_KEPT = 8
"""Blocks whose promised blob fee is remembered until the node says what it was."""

DOUBTED_FOR = 50
"""Blocks for which a wrong next fee is remembered."""

LONGEST_BLOCK_TIME = 600

OP_CHAINS = frozenset({"eip155:10", "eip155:130", "eip155:252", "eip155:480", "eip155:8453", "eip155:34443", "eip155:57073",
    "eip155:81457", "eip155:7777777", "eip155:84532", "eip155:11155420"})  # fmt: skip
"""OP Stack chains by id: OP, Unichain, Fraxtal, World Chain, Base, Mode, Ink, Blast, Zora; Base's and OP's Sepolia."""

ARBITRUM_CHAINS = frozenset({"eip155:42161", "eip155:42170", "eip155:421614"})
"""Arbitrum One, Nova, and One's Sepolia."""

NO_BOUND = 2
"""An Arbitrum block may come long after its parent, and the fee may have fallen far: its denominator holds nothing back."""


def kind_of(rules: GasConfig, chain: str) -> str:
    """Who sets the fee: `ethereum`, `op_stack` or `arbitrum`."""
    if rules.kind != "auto":
        return rules.kind
    return "op_stack" if chain in OP_CHAINS else "arbitrum" if chain in ARBITRUM_CHAINS else "ethereum"


class Live:
    """One chain's. `block` after every verified block, `reverted` after a reorganisation. It pickles, and goes on as it was."""

    def __init__(self, name: str, chain: str, rules: GasConfig, block_time: float) -> None:
        self.name, self.chain, self.rules = name, chain, rules
        self.kind = kind_of(rules, chain)
        seconds = min(max(1, round(block_time)), LONGEST_BLOCK_TIME)
        denominator = NO_BOUND if self.kind == "arbitrum" else rules.denominator
        clock = Clock(seconds=seconds, elasticity=rules.elasticity, denominator=denominator)
        self.forecaster = Forecaster(clock)
        self.tips = PriorityFees()
        schedule = tuple(BlobParams(b.start, b.target, b.most, b.fraction, b.reserve) for b in rules.blobs)
        self.blobs = BlobFees(schedule or MAINNET_BLOBS)
        self.board = Scoreboard()
        self.recent: deque[tuple[int, int]] = deque(maxlen=RECENT)
        self.forecast: Forecast | None = None
        self.outlook: Outlook | None = None
        self.header: Header | None = None
        """The newest that was folded in."""
        self.warmed = self._wrong = 0
        self.unread = "not read yet"
        """Why ArbGasInfo was not read at the newest block, if so."""
        self._last: BlockData | None = None
        self._op = OpParams(rules.elasticity, rules.denominator)
        self._offer: Tips | None = None
        self._blob: Blobs | None = None
        self._blob_said: dict[int, int] = {}
        self._blob_doubt = False
        self._doubted = 0
        self._why = ""

    @property
    def last(self) -> BlockData | None:
        """The newest block that was folded in."""
        return self._last

    def warm(self, header: Header) -> None:
        """Fold in a header of the past that nobody verified."""
        self.forecaster.observe(header)
        self.warmed += 1
        self.recent.append((header.number, header.base_fee))

    @property
    def learns(self) -> bool:
        """Is a model to be fitted? Arbitrum's fee follows from what is owed, and that can be read."""
        return self.kind != "arbitrum"

    def block(self, block: BlockData, at: float, *, model: Model | None = None, reading: Reading | None = None) -> Outlook | None:
        """The outlook after this block, answered by `model` once one is given. None for a chain without base fees.

        `reading` is what ArbGasInfo says after the block, on Arbitrum.
        """
        if block.base_fee is None:
            return None
        number = block.position.height
        self._hold(number, block.base_fee)
        header = Header(number, block.timestamp, block.base_fee, block.gas_used, block.gas_limit)
        answering: Answering | None = None if model is self.forecaster.model else model
        if self.kind == "arbitrum":
            header, answering = self._owed(header, reading)
        elif self.kind == "op_stack":
            header = msgspec.structs.replace(header, next_fee=self._op_next(block, block.base_fee))
        self.header, self._last, self.forecast = header, block, self.forecaster.observe(header, answering)
        if self.forecast is None:
            return None
        self.board.came(number, block.base_fee)
        if self.forecast.number == number:
            self.board.told(self.forecast)
        self._blob = self._blobs(block, self.forecast)
        self._blob_said = {at: fee for at, fee in self._blob_said.items() if number - BLOBS_KEPT < at <= number}
        if self._blob is not None:
            self._blob_said[number + 1] = self._blob.next_fee
        self.outlook = self._worded(block, self.forecast, at)
        return self.outlook

    def take_wrong(self) -> int:
        """How many next fees were wrong since this was last asked."""
        wrong, self._wrong = self._wrong, 0
        return wrong

    def reverted(self, height: int) -> bool:
        """Blocks from this height on are gone. False when that is deeper than can be taken back."""
        self._cut(height)
        self.blobs.rewind(height - 1)
        self.forecast, self._last = None, None
        return self.forecaster.rewind(height - 1)

    def tipped(self, told: Tipped) -> None:
        """What was paid up to a block, and the blob fee that it had: a check of the one that was promised for it."""
        for row in told.rewards:
            offer = self.tips.observe(row)
            self._offer = Tips(offer.cheap, offer.usual, offer.urgent, told.number)
        promised = self._blob_said.get(told.number)
        if promised is not None and told.blob_fee is not None:
            self._blob_doubt = told.blob_fee != promised
        if self.outlook is None or self._last is None or self.forecast is None:
            return
        self.outlook = self._worded(self._last, self.forecast, self.outlook.seen_at)

    def advise(self, question: Question, degraded: str | None) -> tuple[Advised, Inclusion | None]:
        """Advice on the newest forecast; `degraded` is why it is doubted. Raises LookupError when there is none."""
        if self.forecast is None:
            raise LookupError(f"{self.name}: no forecast yet")
        forecast = msgspec.structs.replace(self.forecast, degraded=degraded)
        said = sending.advise(forecast, question.deadline, urgent=question.urgency >= 1.0)
        send, reason, saving = said.send, said.reason, said.expected_saving
        if not send and saving < question.urgency * said.regret95:
            send, reason, saving = True, "so urgent that what waiting may cost outweighs what it saves", 0.0
        advised = Advised(
            deadline=question.deadline, urgency=question.urgency, send=send, reason=reason, reservation=said.reservation,
            expected_saving=saving, regret95=said.regret95, release=1.0 if send else max(said.release, question.urgency),
        )  # fmt: skip
        return advised, None if question.cap is None else _inclusion(forecast, question, question.cap)

    def _hold(self, number: int, fee: int) -> None:
        """Was the next fee, told as exact, the one that came?"""
        before, rule = self.forecast, "ArbGasInfo" if self.kind == "arbitrum" else "EIP-1559 as configured"
        if self._estimates() is None and before is not None and before.number == number - 1 and before.next_fee != fee:
            self._wrong += 1
            self._doubt(f"block {number} has a fee of {fee} wei, {rule} promised {before.next_fee}")
        else:
            self._doubted = max(self._doubted - 1, 0)
        self._cut(number)
        self.recent.append((number, fee))

    def _cut(self, height: int) -> None:
        while self.recent and self.recent[-1][0] >= height:
            self.recent.pop()

    def _doubt(self, why: str) -> None:
        self._doubted, self._why = DOUBTED_FOR, f"{why}; set chains.{self.name}.gas"

    def _op_next(self, block: BlockData, base_fee: int) -> int:
        """The child's fee by what the header itself says of how it is made, or as configured where it says nothing."""
        try:
            self._op = exact.op_params(block.extra, otherwise=self._op)
        except ValueError as error:
            self._doubt(f"block {block.position.height}: {error}")
        features, op = self.forecaster.features, self._op
        if (features.clock.elasticity, features.clock.denominator) != (op.elasticity, max(op.denominator, 2)):
            features.clock = msgspec.structs.replace(features.clock, elasticity=op.elasticity, denominator=max(op.denominator, 2))
        return exact.next_op_base_fee(base_fee, block.gas_used, block.gas_limit, op, block.blob_gas_used or 0)

    def _owed(self, header: Header, reading: Reading | None) -> tuple[Header, Answering]:
        """The header with its child's fee by what is owed, and who answers; without any reading, the fee is taken to stay."""
        before = self.forecaster.model
        backlog = follow(before if isinstance(before, Backlog) else None, header, reading)
        fee = header.base_fee if backlog is None else backlog.next_fee
        return msgspec.structs.replace(header, next_fee=fee), backlog or Cold()

    def _estimates(self) -> str | None:
        """Why the next fee is an estimate, where it is one."""
        if self.kind != "arbitrum":
            return None
        model = self.forecaster.model
        if not isinstance(model, Backlog):
            return f"what this chain owes is not known: ArbGasInfo: {self.unread}; the next fee is taken to be the last"
        if model.exact:
            return None
        return f"ArbGasInfo was not read at block {model.number - 1}; the next fee is reckoned from gas used"

    def _blobs(self, block: BlockData, forecast: Forecast) -> Blobs | None:
        if self.kind != "ethereum" or block.excess_blob_gas is None or block.blob_gas_used is None or block.base_fee is None:
            return None
        child_at = block.timestamp + self.forecaster.features.clock.seconds
        try:
            header = BlobHeader(block.excess_blob_gas, block.blob_gas_used, block.base_fee, child_at, block.position.height)
            fee = self.blobs.observe(header)
            ahead = {n: {f"{q:g}": paid for q, paid in fees.items()} for n, fees in self.blobs.answers(forecast).items()}
        except ValueError:
            return None  # numbers that no header can hold: nothing is said of blobs
        return None if fee is None else Blobs(fee, ahead)

    def _worded(self, block: BlockData, forecast: Forecast, at: float) -> Outlook:
        model = self.forecaster.model
        return Outlook(
            chain=self.chain, name=self.name, seen_at=at,
            block=Block(block.position.height, block.position.id, block.timestamp),
            base_fee_wei=block.base_fee or 0, next_fee_wei=forecast.next_fee,
            ahead={blocks: Spread(*fees) for blocks, fees in forecast.ahead.items()},
            caps={blocks: dict(zip(("80", "95", "99"), fees, strict=True)) for blocks, fees in forecast.caps.items()},
            model=Fitted(model.name, model.first, model.last) if isinstance(model, Model) else Fitted(forecast.model),
            degraded=self._degraded(forecast), surprise=forecast.surprise, recent=[fee / 1e9 for _, fee in self.recent],
            priority_wei=self._offer, blob_wei=None if self._blob_doubt else self._blob, lived=self.board.lived(),
        )  # fmt: skip

    def _degraded(self, forecast: Forecast) -> str | None:
        """Everything that is wrong with it, in one line."""
        unfitted = isinstance(self.forecaster.model, Cold) and self.warmed
        reasons = (
            self._why if self._doubted else None,
            self._estimates(),
            f"{forecast.degraded}, {self.warmed} of them from eth_feeHistory" if unfitted else forecast.degraded,
        )
        return "; ".join(reason for reason in reasons if reason) or None


def _inclusion(forecast: Forecast, question: Question, cap: float) -> Inclusion:
    """The next fee is known; after it, at least the best single block's chance can be had."""
    room = max(cap - question.tip, 0.0)
    looked = sorted({blocks for blocks in forecast.ahead if 1 < blocks <= question.within} | {question.within})
    chances = [1.0 - sending.chance_above(forecast, blocks, room) for blocks in looked if blocks > 1]
    sure = room >= forecast.next_fee / 1e9
    return Inclusion(
        cap=cap, tip=question.tip, within=question.within,
        probability=1.0 if sure else max(chances, default=0.0),
        throughout=sending.chance_enough(forecast, room, question.within),
    )  # fmt: skip
