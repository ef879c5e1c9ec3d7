"""Flag documents as bytes: made once an evaluation, signed where a key is configured, with headers that say how fresh."""

from collections.abc import Mapping

import msgspec

from monitor.api.signing import Signer
from monitor.breaker.flags import Flag, FlagBoard


class Documents:
    """What the plain doors hand out. `signer` is None where nothing is signed."""

    def __init__(self, board: FlagBoard, signer: Signer | None = None) -> None:
        self.board = board
        self.signer = signer
        self._ones: dict[str, tuple[Flag, bytes]] = {}
        self._all: tuple[float, str, bytes] = (0.0, "", b"")
        self._headers: dict[str, tuple[float, Mapping[str, str]]] = {}

    def one(self, flag: Flag) -> bytes:
        """One flag's document."""
        kept = self._ones.get(flag.integration)
        if kept is None or kept[0] is not flag:
            kept = self._ones[flag.integration] = (flag, self._signed(msgspec.json.encode(flag)))
        return kept[1]

    def all(self) -> bytes:
        """Every flag in one document, under one signature."""
        board = self.board
        as_of = self.as_of
        if self._all[:2] != (as_of, board.version):
            body = msgspec.json.encode({"flags": list(board.read().values()), "epoch": board.epoch, "version": board.version})
            self._all = (as_of, board.version, self._signed(body))
        return self._all[2]

    @property
    def as_of(self) -> float:
        """When the flags were evaluated, unix seconds."""
        return max((flag.issued_at for flag in self.board.read().values()), default=0.0)

    def freshness(self, tag: str) -> Mapping[str, str]:
        """Headers that every flag answer carries, a 304 included: it is itself a proof of freshness.

        `X-Flags-Signature` is `key_id:signature` over tag, as-of, valid-for and epoch as written here, a line each.
        """
        as_of = self.as_of
        kept = self._headers.get(tag)
        if kept is not None and kept[0] == as_of:
            return kept[1]
        if len(self._headers) > 4 * len(self.board.specs) + 16:
            self._headers.clear()  # tags of states that are over
        shown = (f"{as_of:.3f}", f"{self.board.valid_for:g}", str(self.board.epoch))
        headers = {
            "ETag": f'"{tag}"', "Cache-Control": "no-cache", "Vary": "Authorization",
            "X-Flags-As-Of": shown[0], "X-Flags-Valid-For": shown[1], "X-Flags-Epoch": shown[2],
        }  # fmt: skip
        if self.signer is not None:
            signature = self.signer.sign("\n".join((tag, *shown)).encode())
            headers["X-Flags-Signature"] = f"{self.signer.key_id}:{signature}"
        self._headers[tag] = (as_of, headers)
        return headers

    def _signed(self, body: bytes) -> bytes:
        return body if self.signer is None else self.signer.document(body)
