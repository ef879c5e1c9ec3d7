"""Who may give orders: bearer tokens kept as digests, with scopes and an end, taken anew from the configuration while we run.

A token is 256 random bits, so its SHA-256 is enough and no slow hash is needed. Every known digest is compared, each in constant
time: how long an answer takes says nothing about how near a guess was.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from monitor.config import Config

PREFIX = "seawall_"
"""What a token begins with, so that a scanner of logs or repositories knows one when it sees it."""

SLACK = 60.0
"""Seconds that our clock may be wrong before a token's end counts."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a token, the SHA-256 of its secret (hex), its scopes, and whether a service holds it.

    `expires` is unix seconds, None for never.
    """

    name: str
    digest: str
    scopes: frozenset[str]
    automated: bool = False
    expires: float | None = None


class Tokens:
    """The tokens that count now. `replace` takes a new set: whatever is not in it is revoked from then on."""

    def __init__(self, tokens: Iterable[Token], clock: Callable[[], float] = time.time) -> None:
        self._tokens = tuple(tokens)
        self._clock = clock

    def replace(self, tokens: Iterable[Token]) -> list[str]:
        """These and no others; the names of those whose secret no longer opens anything."""
        kept = tuple(tokens)
        gone = [old.name for old in self._tokens if all(new.digest != old.digest for new in kept)]
        self._tokens = kept
        return gone

    def holder(self, authorization: str) -> Token | str:
        """Whose word an Authorization header is, or why it is nobody's."""
        scheme, _, secret = authorization.partition(" ")
        offered = digest_of(secret.strip())
        holder = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, offered):
                holder = token
        if scheme.lower() != "bearer" or holder is None:
            return "send Authorization: Bearer with a configured token"
        if holder.expires is not None and self._clock() > holder.expires + SLACK:
            ended = datetime.fromtimestamp(holder.expires, UTC).isoformat(timespec="seconds")
            return f"token {holder.name} ended at {ended}; make another with: seawall token create"
        return holder


def digest_of(secret: str) -> str:
    """How a secret is kept: SHA-256, hex.

    >>> digest_of("open sesame")[:8]
    '41ef4bb0'
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def fresh() -> str:
    """A new token."""
    return PREFIX + secrets.token_urlsafe(32)


def configured(config: Config) -> list[Token]:
    """The tokens that a configuration names."""
    return [
        Token(name=t.name, digest=t.sha256, scopes=frozenset(t.scopes), automated=t.automated, expires=t.expires)
        for t in config.api.tokens
    ]
