"""The feed of a sequencer that numbers its messages: a number that is missing is something we did not see, and it is said.

The messages themselves are not judged here, their blocks are. What the feed is good for is to tell that something was ordered:
while a gap is open, blocks up to the message behind it have not all been judged, and the chain counts as unseen.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator

import msgspec
import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from detectors.events import Gap
from monitor import metrics
from monitor.chains import wire

log = structlog.get_logger()

DIAL_WITHIN, SILENT_AFTER = 10.0, 30.0
FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0
MOST_BYTES = 16 << 20
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Header(msgspec.Struct):
    timestamp: int


class _Inner(msgspec.Struct):
    header: _Header


class _Ordered(msgspec.Struct):
    message: _Inner


class _Message(msgspec.Struct, rename="camel"):
    sequence_number: int
    message: _Ordered


class _Frame(msgspec.Struct):
    """One broadcast; confirmations of old numbers come without messages."""

    version: int = 1
    messages: list[_Message] = []


class Missing(msgspec.Struct, frozen=True):
    """Messages `first` to `last` were not seen. Who has judged a block later than `until` (chain time) has their blocks."""

    first: int
    last: int
    until: float

    @property
    def why(self) -> str:
        """For people."""
        many = self.last - self.first + 1
        return f"the sequencer's feed lost {many} messages ({self.first} to {self.last}): unknown until their blocks are judged"


class SequencerFeed:
    """One chain's feed. `missing` is the gap that is still open, None while there is none; `silent` while nothing comes."""

    def __init__(self, url: str, *, chain: str) -> None:
        self.chain = chain
        self.missing: Missing | None = None
        self.trouble: str | None = "not dialled yet"
        """Why nothing comes, for people; None while messages do."""
        self.next: int | None = None
        """The number that must come next."""
        self._url = url
        self._decode = msgspec.json.Decoder(_Frame)

    def judged(self, timestamp: float) -> None:
        """A block of this chain time was judged: what was ordered before it is known."""
        if self.missing is not None and timestamp > self.missing.until:
            self.missing = None

    async def follow(self) -> AsyncGenerator[Gap, None]:
        """Gaps for ever; a feed that ends is dialled again and asked to go on where it stopped."""
        failures = 0
        while True:
            try:
                async with self._dial() as feed:
                    while True:
                        async with asyncio.timeout(SILENT_AFTER):
                            frame = await feed.recv()
                        failures, self.trouble = 0, None
                        for gap in self._take(frame):
                            yield gap
            except (OSError, TimeoutError, WebSocketException) as error:
                self.trouble = f"the sequencer's feed at {wire.shown(self._url)}: {type(error).__name__}: {error}"
                if not failures:
                    log.warning("sequencer_feed_stopped", chain=self.chain, error=self.trouble)
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2**failures)
            failures = min(failures + 1, 8)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    def _dial(self) -> connect:
        headers = {"Arbitrum-Feed-Client-Version": "2"}
        if self.next is not None:
            headers["Arbitrum-Requested-Sequence-Number"] = str(self.next)
        return connect(
            self._url, additional_headers=headers, open_timeout=DIAL_WITHIN, ping_interval=5.0, ping_timeout=5.0,
            max_size=MOST_BYTES, compression=None,
        )  # fmt: skip

    def _take(self, frame: str | bytes) -> list[Gap]:
        try:
            messages = self._decode.decode(frame).messages
        except _UNREADABLE:
            metrics.FRAMES_BAD.labels(self.chain, "undecodable").inc()
            return []
        gaps = []
        for one in messages:
            if self.next is not None and one.sequence_number > self.next:
                gaps.append(self._lost(self.next, one))
            if self.next is None or one.sequence_number >= self.next:
                self.next = one.sequence_number + 1
        return gaps

    def _lost(self, first: int, after: _Message) -> Gap:
        last, until = after.sequence_number - 1, float(after.message.message.header.timestamp)
        opened = self.missing.first if self.missing is not None else first
        self.missing = Missing(opened, last, until)
        lost = last - first + 1
        metrics.DROPPED.labels(self.chain, "sequencer").inc(lost)
        log.warning("sequencer_gap", chain=self.chain, first=first, last=last)
        return Gap(chain=self.chain, at=time.time(), feed="sequencer", lost=lost, reason=self.missing.why)
