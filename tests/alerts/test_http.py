"""Posting to a receiver: what counts as the open internet, and that nobody is led astray."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.base import DeliveryFailed
from alerts.http import Poster, PrivateAddressError, PublicResolver, public
from tests.support.receivers import answers, receiver

INNER = (
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
)
INNER6 = ("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "fec0::1", "2001:db8::1")


@pytest.mark.parametrize("address", INNER + INNER6)
def test_no_inner_address_is_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"])
def test_the_open_internet_is_public(address: str) -> None:
    assert public(address)


@given(st.sampled_from(INNER).map(ipaddress.IPv4Address), st.sampled_from(("::ffff:0:0", "64:ff9b::", "2002::")))
def test_no_inner_address_hides_inside_an_outer_one(inner: ipaddress.IPv4Address, prefix: str) -> None:
    shift = 80 if prefix == "2002::" else 0
    assert not public(str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | (int(inner) << shift))))


async def test_a_name_that_leads_inward_gives_no_address_at_all() -> None:
    with pytest.raises(PrivateAddressError, match="localhost"):
        await PublicResolver().resolve("localhost", 443, socket.AF_UNSPEC)


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    made = Poster(allow_private=True)
    yield made
    await made.close()


async def test_a_redirect_is_refused_not_followed(poster: Poster) -> None:
    async with receiver() as inner, receiver(answers(307, Location=inner.url)) as outer:
        with pytest.raises(DeliveryFailed) as failed:
            await poster.post(outer.url, b"{}", {})
    assert failed.value.permanent
    assert inner.received == []


async def test_a_session_can_be_used_again_after_it_was_closed(poster: Poster) -> None:
    async with receiver() as hook:
        await poster.post(hook.url, b"1", {})
        await poster.close()
        await poster.post(hook.url, b"2", {})
    assert [got.body for got in hook.received] == [b"1", b"2"]


async def test_a_name_that_changes_its_mind_between_check_and_connection_reaches_nobody_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    told: list[str] = []

    async def two_faced(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        told.append("203.0.114.7" if not told else "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (told[-1], port))]

    monkeypatch.setattr(loop, "getaddrinfo", two_faced)
    async with receiver() as inner:
        port = inner.url.split(":")[2].partition("/")[0]
        for _ in range(3):  # public at first, inside from then on, as a rebinding name server answers
            poster = Poster(allow_private=False, timeout=0.3)
            with pytest.raises(DeliveryFailed):
                await poster.post(f"http://rebound.example:{port}/hook", b"{}", {})
            await poster.close()
    assert (told[0], "127.0.0.1" in told, inner.received) == ("203.0.114.7", True, [])


@pytest.mark.parametrize(
    "host",
    ["2130706433", "127.1", "0x7f.1", "0177.0.0.1", "0x7f000001", "017700000001", "0", "[::ffff:127.0.0.1]", "[::1]", "localhost",
     "127.0.0.1.", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021"],
)  # fmt: skip
async def test_no_way_of_writing_loopback_reaches_it(host: str) -> None:
    async with receiver() as inner:
        port = inner.url.split(":")[2].partition("/")[0]
        poster = Poster(allow_private=False, timeout=1.0)
        with pytest.raises(DeliveryFailed) as failed:
            await poster.post(f"http://{host}:{port}/hook", b"{}", {})
        await poster.close()
    assert (failed.value.permanent, inner.received) == (True, [])
