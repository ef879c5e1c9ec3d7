"""What a reader gives: executions, and what could not be made one. Whence a trace comes and how a tree is flattened."""

import msgspec

from detectors.events import Position, Stage
from detectors.execution import MAX_DEPTH, NO_CONTEXT, Context, Execution, Frame, Log, Step
from monitor.errors import TraceUnreadable

MAINNET = "eip155:1"


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction (or a whole document) that cannot be judged. `execution`: it was recognisably one, only beyond us."""

    source: str
    reason: str
    tx: str | None = None
    execution: bool = True


Reading = Execution | Unreadable


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a trace was read and what its producer said beside it. `at` in unix seconds.

    `stage` None: included when the block is known, else pending. `logged` None: told by whether any log is there.
    """

    source: str
    chain: str = MAINNET
    at: float = 0.0
    position: Position | None = None
    tx: str | None = None
    index: int | None = None
    stage: Stage | None = None
    logged: bool | None = None

    def execution(
        self,
        frames: list[Frame],
        steps: list[Step],
        *,
        storage: str = "none",
        complete: bool = True,
        context: Context = NO_CONTEXT,
        supersedes: bool = False,
    ) -> Execution:
        """The flat execution of a trace read from here."""
        stage = self.stage or (Stage.PENDING if self.position is None else Stage.INCLUDED)
        return Execution(
            chain=self.chain,
            at=self.at,
            tx=self.tx or self.source,
            stage=stage,
            frames=frames,
            steps=steps,
            storage=storage,
            logged=any(type(step) is Log for step in steps) if self.logged is None else self.logged,
            complete=complete,
            position=self.position,
            index=self.index,
            context=context,
            supersedes=supersedes,
        )

    def unreadable(self, error: TraceUnreadable) -> Unreadable:
        """What to say of a transaction from here that cannot be judged."""
        return Unreadable(source=self.source, tx=self.tx, reason=str(error))


def too_deep(depth: int) -> TraceUnreadable:
    """The error of a tree beyond `MAX_DEPTH`."""
    return TraceUnreadable(f"at least {depth:,} frames deep; at most {MAX_DEPTH:,} are judged", deep=True)
