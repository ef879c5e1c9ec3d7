"""Slack: one message per incident, edited as it changes, and a line in its thread for every change.

Texts are `plain_text` blocks, which Slack neither links nor lets mention anyone; the notification text is escaped as Slack asks
(`&`, `<`, `>`). https://docs.slack.dev/reference/methods/chat.postMessage
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from alerts.base import Channel, DeliveryFailed, Notification
from alerts.http import TIMEOUT, Poster
from alerts.text import escaped, plain

API, _REMARK = "https://slack.com/api", "message "
MOST_HEADER, MOST_SECTION, MOST_TEXT = 150, 3000, 4000
KEPT = 1000
"""Incidents whose message is remembered."""

_MARKS = {"critical": "\N{LARGE RED SQUARE}", "warning": "\N{LARGE YELLOW SQUARE}", "info": "\N{LARGE BLUE SQUARE}"}
_DONE = "\N{LARGE GREEN SQUARE}"
_LATER = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
_FORGOTTEN = frozenset({"message_not_found", "thread_not_found", "edit_window_closed", "cant_update_message"})


class _Answer(msgspec.Struct):
    ok: bool = False
    error: str = ""
    ts: str = ""


class Slack(Channel):
    """Posts to `channel` (an id like C0123456) as the bot behind `token`. `timeout` in seconds."""

    name: ClassVar[str] = "slack"
    summary: ClassVar[str] = "One Slack message per incident, edited in place, with a thread."

    def __init__(
        self, *, token: str, channel: str, url: str = API, allow_private: bool = False, timeout: float = TIMEOUT
    ) -> None:
        if not token or not channel:
            raise ValueError("token and channel: both are needed; the bot must be a member of the channel")
        self._headers = {"content-type": "application/json; charset=utf-8", "authorization": f"Bearer {token}"}
        self._channel = channel
        self._url = url.rstrip("/")
        self._poster = Poster(allow_private=allow_private, timeout=timeout)
        self._messages: dict[str, str] = {}

    async def send(self, notification: Notification) -> str | None:
        """Post the incident's message, or edit it and add to its thread. Raises DeliveryFailed."""
        known = self._messages.get(notification.incident)
        if known is not None and not await self._edited(notification, known):
            known = None
        if known is None:
            known = (await self._call("chat.postMessage", message(notification, self._channel))).ts
            self._messages[notification.incident] = known
            while len(self._messages) > KEPT:
                del self._messages[next(iter(self._messages))]
        else:
            await self._call("chat.postMessage", thread(notification, self._channel, known))
        if notification.resolved:
            self._messages.pop(notification.incident, None)
        return f"{_REMARK}{plain(known, 40)}"

    def recall(self, remarks: Mapping[str, str]) -> None:
        """Go on editing an incident's message after a restart."""
        self._messages = {incident: remark.removeprefix(_REMARK) for incident, remark in remarks.items()} | self._messages

    async def close(self) -> None:
        """Close the session."""
        await self._poster.close()

    async def _edited(self, notification: Notification, ts: str) -> bool:
        """Was the message brought up to date? Not, when Slack no longer has it."""
        try:
            await self._call("chat.update", message(notification, self._channel) | {"ts": ts})
        except DeliveryFailed as failure:
            if any(name in str(failure) for name in _FORGOTTEN):
                return False
            raise
        return True

    async def _call(self, method: str, body: dict[str, object]) -> _Answer:
        raw = await self._poster.post(f"{self._url}/{method}", msgspec.json.encode(body), self._headers)
        try:
            answer = msgspec.json.decode(raw, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DeliveryFailed(f"slack {method}: what came back is no answer of Slack's") from error
        if not answer.ok:
            said = plain(answer.error, 60)
            raise DeliveryFailed(f"slack {method}: {said}", permanent=said not in _LATER and said not in _FORGOTTEN)
        return answer


def message(notification: Notification, channel: str) -> dict[str, object]:
    """The incident as it stands: header, body, and where to look."""
    mark = _DONE if notification.resolved else _MARKS[notification.severity.value]
    blocks = [
        {"type": "header", "text": _text(f"{mark} {notification.title}", MOST_HEADER)},
        {"type": "section", "text": _text(notification.body, MOST_SECTION)},
    ]
    links = " \N{MIDDLE DOT} ".join(f"{name}: {url}" for name, url in notification.links.items())
    if links:
        blocks.append({"type": "section", "text": _text(links, MOST_SECTION)})
    return {
        "channel": channel, "text": escaped(f"{mark} {notification.title}")[:MOST_TEXT], "blocks": blocks,
        "unfurl_links": False, "unfurl_media": False, "mrkdwn": False,
    }  # fmt: skip


def thread(notification: Notification, channel: str, ts: str) -> dict[str, object]:
    """A line of the incident's history."""
    block = {"type": "section", "text": _text(notification.body or notification.title, MOST_SECTION)}
    text = escaped(notification.title)[:MOST_TEXT]
    return {"channel": channel, "thread_ts": ts, "text": text, "blocks": [block], "mrkdwn": False}


def _text(text: str, most: int) -> dict[str, object]:
    return {"type": "plain_text", "text": text[:most] or "-", "emoji": False}
