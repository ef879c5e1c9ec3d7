"""The other hundred services: a real apprise tells a real local receiver."""

import pytest

from alerts.base import DeliveryFailed
from alerts.channels.apprise import Apprise
from tests.support.notices import told
from tests.support.receivers import answers, receiver

THEIRS = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
"""One of apprise's own plug-ins imports it."""


@THEIRS
async def test_apprise_takes_title_body_and_how_bad_it_is() -> None:
    async with receiver() as hook:
        channel = Apprise(urls=(hook.url.replace("http://", "json://"),))
        await channel.send(told())
        await channel.close()
    (got,) = hook.received
    body = got.json()
    assert isinstance(body, dict)
    assert body["title"] == told().title
    assert body["type"] == "failure"
    assert "12,345,678,901,234,567,890" in body["message"]


@THEIRS
async def test_a_service_that_refuses_is_tried_again_and_its_address_is_not_told() -> None:
    async with receiver(answers(500)) as hook:
        channel = Apprise(urls=(hook.url.replace("http://", "json://user:hunter2@"),))
        with pytest.raises(DeliveryFailed) as failure:
            await channel.send(told())
        assert "hunter2" not in str(failure.value)
        assert not failure.value.permanent


async def test_a_notation_that_apprise_does_not_know_is_a_permanent_failure() -> None:
    channel = Apprise(urls=("nonsense",))
    with pytest.raises(DeliveryFailed, match=r"urls\[0\]") as failure:
        await channel.send(told())
    assert failure.value.permanent
