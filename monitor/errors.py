"""Every error of ours, in one small tree. Foreign exceptions are translated into it once, at the edge.

A message says what was attempted, on what, and what to do next. Secrets never appear in one.
"""


class SeawallError(Exception):
    """The root: a person can read its text as it stands."""


class ConfigError(SeawallError):
    """The configuration cannot be used. `problems` are lines `path: what is wrong`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NodeError(SeawallError):
    """A node did not do what was asked of it."""


class NodeUnreachable(NodeError):
    """Refused, reset, closed, or no such host."""


class NodeSilent(NodeError):
    """No answer before the deadline."""


class NodeBusy(NodeSilent):
    """It is at one long answer, on a connection where others wait: we leave it alone with that and ask them on another."""


class NodeGarbled(NodeError):
    """An answer that is not JSON-RPC, or not of the shape the method promises."""


class NodeOversize(NodeGarbled):
    """An answer longer than we take: it ended the connection, and with it whatever else was asked there."""


class WrongChain(NodeError):
    """The node serves another chain than the one configured."""


class RpcRefused(NodeError):
    """The node answered with a JSON-RPC error. `code` is its code, `unsupported` whether the method does not exist there."""

    def __init__(self, message: str, code: int, *, unsupported: bool = False, throttled: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.unsupported = unsupported
        self.throttled = throttled


class TraceUnreadable(SeawallError):
    """Recorded or fetched execution that cannot be judged: truncated, empty, foreign, too deep. `deep` marks the last."""

    def __init__(self, message: str, *, deep: bool = False) -> None:
        super().__init__(message)
        self.deep = deep


class JournalError(SeawallError):
    """The journal could not take or give a record."""


class JournalConflict(JournalError):
    """Someone appended first: fold what is new and decide again. `head` is the sequence found."""

    def __init__(self, message: str, head: int) -> None:
        super().__init__(message)
        self.head = head


class JournalBroken(JournalError):
    """The hash chain does not verify: a record was changed, lost or added outside."""


class TapeError(SeawallError):
    """A tape that cannot be written, or a file that is none, is damaged, or is of a version not known here."""
