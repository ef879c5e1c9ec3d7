"""Posting to a receiver: one deadline, no redirects, and every answer sorted into delivered, later or never."""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from alerts.base import DeliveryFailed
from alerts.text import plain

TIMEOUT = 8.0
"""Seconds for one request, connection included; below the deadline Delivery sets, so that our message wins."""

MOST_ANSWER = 64 * 1024

LONGEST_WAIT = 3600.0
"""Most seconds a Retry-After can make us wait: a receiver must not silence an incident for a year."""

_LATER = frozenset((408, 421, 425, 429))
_GONE = 410
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PrivateAddressError(OSError):
    """A public receiver's name leads into a private network."""


def public(address: str) -> bool:
    """Is it an address of the open internet, also after unwrapping an IPv4 address carried inside an IPv6 one?

    >>> public("93.184.216.34"), public("169.254.169.254"), public("::ffff:127.0.0.1"), public("64:ff9b::7f00:1")
    (True, False, False, False)
    """
    outer: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(outer, ipaddress.IPv4Address):
        return outer.is_global and not outer.is_multicast and not outer.is_reserved
    if outer.ipv4_mapped is not None:
        return public(str(outer.ipv4_mapped))
    open_to_all = outer.is_global and not outer.is_multicast and not outer.is_site_local
    return open_to_all and all(public(str(inner)) for inner in _carried(outer))


def _carried(outer: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """IPv4 addresses that a translator (6to4, Teredo, NAT64) would reach through this one."""
    nat64 = ipaddress.IPv4Address(outer.packed[-4:]) if outer in _NAT64 else None
    return [one for one in (outer.sixtofour, *(outer.teredo or ()), nat64) if one is not None]


class PublicResolver(AbstractResolver):
    """Gives out a host's addresses only when all are public; aiohttp then connects to just these, so a rebind gains nothing."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Resolve and check. Raises PrivateAddressError."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [(kind, proto, str(where[0]), int(where[1])) for kind, _, proto, _, where in found]
        if hidden := [address for _, _, address, _ in addresses if not public(address)]:
            raise PrivateAddressError(f"{host} leads to the private address {hidden[0]}")
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=flags)
            for kind, proto, address, port in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Poster:
    """A lazily opened session. Without `allow_private` it reaches only public addresses."""

    def __init__(self, *, allow_private: bool, timeout: float = TIMEOUT) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """POST once; at most MOST_ANSWER bytes of the answer come back.

        Raises DeliveryFailed, which names the host only: paths and queries often hold a receiver's secret.
        """
        return await self._ask("POST", url, headers, body)

    async def get(self, url: str, headers: Mapping[str, str], most: int) -> bytes:
        """GET once. Raises DeliveryFailed, also when more than `most` bytes come back."""
        return await self._ask("GET", url, headers, None, most)

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, most: int | None = None) -> bytes:
        where = URL(url)
        host = where.host or ""
        self._refuse_private_literal(host)
        try:
            async with self._open().request(method, where, data=body, headers=headers, allow_redirects=False) as answer:
                if answer.ok and answer.status not in range(300, 400):
                    return await (answer.content.read(MOST_ANSWER) if most is None else _whole(answer.content, most, host))
                said = b"" if answer.status >= 500 else await answer.content.read(200)
                raise _judged(host, answer.status, answer.headers.get("Retry-After"), said.decode("utf-8", "replace"))
        except TimeoutError as error:
            raise DeliveryFailed(f"{host}: no answer within {self._timeout:g} s") from error
        except aiohttp.InvalidURL:
            raise DeliveryFailed(f"{host}: not an address one can post to; correct it", permanent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, PrivateAddressError) or isinstance(error.__cause__, PrivateAddressError):
                raise DeliveryFailed(_private(host), permanent=True) from None
            raise DeliveryFailed(f"{host}: {_named(error)}; is it up and reachable from here?") from None

    async def close(self) -> None:
        """Close the session; the next post opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            resolver = None if self._allow_private else PublicResolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit_per_host=4),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _refuse_private_literal(self, host: str) -> None:
        """A literal address never reaches the resolver, so it is checked here."""
        try:
            hidden = not self._allow_private and not public(host)
        except ValueError:
            return
        if hidden:
            raise DeliveryFailed(_private(host), permanent=True)


async def _whole(content: aiohttp.StreamReader, most: int, host: str) -> bytes:
    kept = bytearray()
    async for part in content.iter_any():
        kept += part
        if len(kept) > most:
            raise DeliveryFailed(f"{host}: answers more than {most} bytes")
    return bytes(kept)


def _private(host: str) -> str:
    return f"{host}: leads into a private network; set allow_private: true if that is meant"


def _named(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"connection failed ({error.os_error.strerror or type(error.os_error).__name__})"
    return f"connection broke ({type(error).__name__})"


def _judged(host: str, status: int, retry_after: str | None, said: str) -> DeliveryFailed:
    text = f"{host}: answered {status}" + (f" ({plain(said, 120)})" if said.strip() else "")
    later = status in _LATER or status >= 500
    wait = _seconds(retry_after, time.time()) if later else None
    return DeliveryFailed(text, permanent=not later, retry_after=wait, gone=status == _GONE)


def _seconds(retry_after: str | None, now: float) -> float | None:
    """A Retry-After header, seconds or an HTTP date, as seconds from now; None when it is absent or unreadable.

    >>> _seconds("120", 0.0), _seconds("Thu, 01 Jan 1970 00:01:00 GMT", 50.0), _seconds("soon", 0.0), _seconds("1e9", 0.0)
    (120.0, 10.0, None, None)
    """
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return min(LONGEST_WAIT, float(retry_after.strip()[:9]))
    try:
        return min(LONGEST_WAIT, max(0.0, parsedate_to_datetime(retry_after).timestamp() - now))
    except ValueError:
        return None
