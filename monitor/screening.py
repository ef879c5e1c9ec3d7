"""Screening: sanctions lists kept as the files say, read again within a moment of a change, and shown to the detectors as events.

A file that cannot be read, or names nobody, leaves what it said before in force, and says so: a list must not empty by a mistake.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Self

import msgspec
import structlog

from detectors.events import PartyList
from monitor import metrics
from monitor.config import Config
from monitor.errors import SeawallError
from monitor.parties import Parsed, of_chain, parse

log = structlog.get_logger()

LOOKED_EVERY = 0.25
"""Seconds between looks at the files: a change counts well within a second."""

MOST_BYTES = 128 * 1024 * 1024

_Stamp = tuple[int, int, int]


class _Kept(msgspec.Struct):
    """One list: what it says by now, of which file, and what is wrong with the newest one."""

    path: Path
    stamp: _Stamp | None = None
    parsed: Parsed | None = None
    trouble: str = ""


class Screening:
    """The lists by name. `chains` are the CAIP-2 ids that are told of them."""

    def __init__(self, lists: Mapping[str, Path], chains: Iterable[str]) -> None:
        self.chains = tuple(chains)
        self._lists = {name: _Kept(path) for name, path in lists.items()}

    @classmethod
    def of(cls, config: Config) -> Self:
        """The configured lists, each file beside the configuration."""
        folder = Path(config.source).parent
        return cls({one.name: folder / one.file for one in config.sanctions.lists}, (one.id for one in config.chains.values()))

    @property
    def troubles(self) -> dict[str, str]:
        """By list, why its file does not count as it is."""
        return {name: kept.trouble for name, kept in self._lists.items() if kept.trouble}

    def greet(self, chain: str) -> list[PartyList]:
        """Every list as it stands, for detectors that have seen none."""
        return [_event(chain, name, kept.parsed) for name, kept in self._lists.items() if kept.parsed is not None]

    async def run(self, take: Callable[[PartyList], Awaitable[object]]) -> None:
        """Look after the files until cancelled. `take` is given each change, chain by chain."""
        while True:
            for name in await self.look():
                parsed = self._lists[name].parsed
                if parsed is not None:
                    for chain in self.chains:
                        await take(_event(chain, name, parsed))
            await asyncio.sleep(LOOKED_EVERY)

    async def look(self) -> list[str]:
        """Read what changed; the lists that say something else now."""
        return [name for name, kept in self._lists.items() if await self._look(name, kept)]

    async def _look(self, name: str, kept: _Kept) -> bool:
        stamp = await asyncio.to_thread(_stamp, kept.path)
        if stamp == kept.stamp and stamp is not None:
            return False
        try:
            parsed = await asyncio.to_thread(_read, kept.path)
        except SeawallError as error:
            self._troubled(name, kept, str(error))
            kept.stamp = stamp
            return False
        if await asyncio.to_thread(_stamp, kept.path) != stamp:
            return False  # it was being written; the next look reads it whole
        kept.stamp = stamp
        self._troubled(name, kept, f"{kept.path}: {'; '.join(parsed.wrong)}" if parsed.wrong else "")
        changed = kept.parsed is None or kept.parsed.version != parsed.version
        kept.parsed = parsed
        metrics.SANCTIONS_PARTIES.labels(name).set(len(parsed.parties))
        if changed:
            log.info("sanctions.loaded", list=name, parties=len(parsed.parties), version=parsed.version)
        return changed

    def _troubled(self, name: str, kept: _Kept, trouble: str) -> None:
        metrics.SANCTIONS_TROUBLE.labels(name).set(bool(trouble))
        if trouble and trouble != kept.trouble:
            log.error(
                "sanctions.unreadable", list=name, error=trouble, in_force=kept.parsed.version if kept.parsed else "nothing"
            )
        kept.trouble = trouble


def _event(chain: str, name: str, parsed: Parsed) -> PartyList:
    parties = of_chain(parsed.parties, chain)
    return PartyList(chain=chain, at=time.time(), name=name, version=parsed.version, parties=parties)


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> Parsed:
    """Raises SeawallError when it cannot be read or is no list."""
    try:
        with path.open("rb") as file:
            body = file.read(MOST_BYTES + 1)
        return parse(body.decode() if len(body) <= MOST_BYTES else "")
    except OSError as error:
        raise SeawallError(f"{path}: cannot be read: {error.strerror or error}; is it where `sanctions` says?") from error
    except ValueError as error:
        raise SeawallError(f"{path}: no list: {error}") from error
