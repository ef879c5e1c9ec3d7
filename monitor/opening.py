"""The opening: what a restart needs to answer for its pauses, and nothing else. Journal, fold, board, and the listeners' doors.

Loading the rest of the daemon takes several times as long. Until it is there every flag reads what the journal holds: `pause`
where a hold stands, and `unknown` where none does, since nobody has looked at a chain yet. Whoever asks anything else waits.
"""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from monitor.api.documents import Documents
from monitor.api.door import Threshold
from monitor.api.hot import HotFlags
from monitor.api.signing import Signer
from monitor.breaker.flags import FlagBoard, OnBlind, Spec
from monitor.breaker.fold import Fold, proves_life
from monitor.breaker.holds import Decision, Mode, proof_of_life
from monitor.breaker.machine import IllegalTransitionError
from monitor.config import Config
from monitor.errors import ConfigError, JournalError
from monitor.journal.reserve import Reserve
from monitor.journal.sqlite import SqliteJournal

PROVEN_WITHIN = 30.0
"""Seconds a proof of life may take to come back, and after which its chain's is blind."""


class Opening:
    """Use as `async with Opening(config) as opened`; its end closes doors and journal. Without `listening` there are no doors.

    Raises ConfigError, JournalError, or SeawallError when the address is taken.
    """

    journal: SqliteJournal
    board: FlagBoard
    documents: Documents
    read: Threshold | None = None
    admin: Threshold | None = None
    reserve: Reserve | None = None
    trouble: str = ""
    """Why there is no reserve."""

    def __init__(self, config: Config, *, listening: bool = True) -> None:
        self.config = config
        self.listening = listening

    async def __aenter__(self) -> Self:
        """Read the journal, then answer."""
        config = self.config
        path = Path(config.journal.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        signer = signer_of(config)
        self.journal = await asyncio.to_thread(SqliteJournal.open, path, tidy=False)
        try:
            self.board = FlagBoard(specs_of(config), epoch=self.journal.epoch, valid_for=config.api.valid_for)
            self.documents = Documents(self.board, signer)
            await asyncio.to_thread(self._look_back)
            if self.listening:
                self.read = Threshold("read", str(config.api.read), HotFlags(self.documents))
                self.admin = Threshold("admin", str(config.api.admin))
                await self.read.open()
                await self.admin.open()
            await asyncio.to_thread(self.journal.tidy)  # a disk may take its time over that, and has: pauses are read meanwhile
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close what nobody has closed."""
        self._close()

    def _close(self) -> None:
        for door in (self.read, self.admin):
            if door is not None:
                door.close()
        self.journal.close()

    def _look_back(self) -> None:
        """Show what the journal holds, and what an earlier life showed without it."""
        fold = Fold(modes_of(self.config))
        for record in self.journal.read(1):
            if proves_life(record.kind, record.body):
                continue
            try:
                fold.apply_record(record.kind, record.body, record.sequence)
            except IllegalTransitionError:
                continue  # the desk reads it once more, and says so
        for breaker in fold.breakers.values():
            self.board.publish(breaker)
        try:
            self.reserve = Reserve.open(self.config.journal.path)
        except JournalError as error:
            self.trouble = str(error)
        for entry in () if self.reserve is None else self.reserve.kept:
            decision = msgspec.json.decode(entry, type=Decision)
            self.board.pause_now(decision.integration, decision.reason)


def specs_of(config: Config) -> list[Spec]:
    """How each integration's flag behaves, and those of the proofs of life."""
    return [
        Spec(
            integration=name,
            chain=config.chains[one.chain].id,
            blind_after=config.chains[one.chain].blind_after,
            on_blind=OnBlind(one.on_blind),
        )
        for name, one in config.integrations.items()
    ] + [proof_spec(chain.id) for chain in config.chains.values()]


def proof_spec(chain: str) -> Spec:
    """The internal flag of a chain's canary."""
    return Spec(integration=proof_of_life(chain), chain=chain, blind_after=PROVEN_WITHIN)


def modes_of(config: Config) -> dict[str, Mode]:
    """What findings may do to each integration's flag; see `Integration.enforced`."""
    return {name: Mode.ENFORCE if one.enforced else Mode.SHADOW for name, one in config.integrations.items()}


def signer_of(config: Config) -> Signer | None:
    """Who signs the flags, where a key is configured. Raises ConfigError."""
    if config.api.signing_key is None:
        return None
    try:
        return Signer(config.api.signing_key.reveal())
    except ValueError as error:
        raise ConfigError([f"api.signing_key: {error}"]) from None
