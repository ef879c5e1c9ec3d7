"""The console channel."""

import io

import msgspec
import pytest
from hypothesis import given

from alerts.base import DeliveryFailed
from alerts.channels.console import Console, block
from tests.alerts.test_text import HOSTILE
from tests.support.notices import told


async def test_a_notification_is_one_readable_block() -> None:
    stream = io.StringIO()
    await Console(stream=stream).send(told())
    head, *rest = stream.getvalue().splitlines()
    assert head.startswith("[CRITICAL] 2026-01-02T03:04:05.250Z aave-v3 PAUSED:")
    assert rest
    assert all(line.startswith("  | ") for line in rest)


async def test_the_end_says_resolved() -> None:
    stream = io.StringIO()
    await Console(stream=stream).send(told("closed", "open"))
    assert stream.getvalue().startswith("[RESOLVED]")


@given(HOSTILE)
def test_no_text_escapes_its_line_or_speaks_to_the_terminal(text: str) -> None:
    wild = msgspec.structs.replace(told(), title=text, body=f"one\n{text}")
    for encoding in ("utf-8", "ascii"):
        lines = block(wild, encoding).split("\n")
        assert lines[0].startswith("[CRITICAL]")
        assert all(line.startswith("  | ") for line in lines[1:-1])
        assert all(line.isprintable() for line in lines)


async def test_a_closed_terminal_is_a_failed_delivery_not_a_crash() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(DeliveryFailed, match="console"):
        await Console(stream=stream).send(told())
