"""The headers that models learn from, kept beside the journal, so that a restart goes on with the history and not with nothing.

One file a chain: a line that names the format, then rows of one size, each with its own checksum. It is a cache: what is cut,
damaged or does not follow is left out, and what is left is the newest unbroken stretch. Nothing but a fit ever reads it.
"""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from detectors.gas.features import Header

MAGIC = b"seawall gas headers 1\n"
MOST = 600_000
"""Headers kept (30 MB, twelve weeks of mainnet); beyond, the oldest quarter goes."""

_ROW = np.dtype([("header", "<i8", 6), ("sum", "<u4")])
_UNSAID = -1
"""A next fee that EIP-1559 says."""


class Memory:
    """One chain's file; it need not exist yet. One process at a time writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, folder: Path, chain: str) -> "Memory":
        """The file of this chain (CAIP-2) in a folder."""
        return cls(folder / f"{quote(chain, safe='')}.headers")

    def read(self) -> list[Header]:
        """The newest unbroken stretch, oldest first; empty where there is nothing to trust. Raises OSError."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        if not content.startswith(MAGIC):
            return []
        body = content[len(MAGIC) :]
        rows = np.frombuffer(body, _ROW, count=len(body) // _ROW.itemsize)
        return [_header(row) for row in rows["header"][_newest(rows)].tolist()]

    def append(self, headers: Sequence[Header]) -> None:
        """Keep these too. Raises OSError (a full disk, a folder that may not be written)."""
        rows = b"".join(_packed(header) for header in headers)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if file.read(len(MAGIC)) != MAGIC:  # new, or of another format: begun anew
                file.truncate(0)
                file.seek(0)
                file.write(MAGIC)
                size = len(MAGIC)
            file.seek(size - (size - len(MAGIC)) % _ROW.itemsize)  # over a row that was cut short
            file.write(rows)
            file.truncate()
            whole = (file.tell() - len(MAGIC)) // _ROW.itemsize
        if whole > MOST:
            self.replace(self.read()[-MOST * 3 // 4 :])

    def replace(self, headers: Sequence[Header]) -> None:
        """Keep these and no others, whole or not at all. Raises OSError."""
        draft = self.path.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(MAGIC)
            file.writelines(_packed(header) for header in headers)
        draft.rename(self.path)


def _newest(rows: NDArray[np.void]) -> slice:
    """The last stretch of rows whose checksums are right and whose numbers follow each other; bad ones at the end are skipped."""
    raw = rows["header"].astype("<i8")
    sound = np.array([zlib.crc32(row.tobytes()) for row in raw], dtype=np.uint32) == rows["sum"]
    good = np.flatnonzero(sound)
    if not len(good):
        return slice(0, 0)
    end = int(good[-1]) + 1
    follows = sound[1:end] & sound[: end - 1] & (np.diff(raw[:end, 0]) == 1)
    breaks = np.flatnonzero(~follows)
    return slice(int(breaks[-1]) + 1 if len(breaks) else 0, end)


def _packed(header: Header) -> bytes:
    after = _UNSAID if header.next_fee is None else header.next_fee
    numbers = (header.number, header.timestamp, header.base_fee, header.gas_used, header.gas_limit, after)
    row = np.array(numbers, dtype="<i8").tobytes()
    return row + zlib.crc32(row).to_bytes(4, "little")


def _header(row: list[int]) -> Header:
    number, timestamp, base_fee, gas_used, gas_limit, after = row
    return Header(number, timestamp, base_fee, gas_used, gas_limit, None if after == _UNSAID else after)
