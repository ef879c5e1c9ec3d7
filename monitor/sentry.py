"""Errors go to Sentry without a secret in them: node keys, tokens and passwords are cut out of every event before it leaves."""

import asyncio
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

REDACTED = "[redacted]"
LONGEST = 8_192
"""Characters kept of one text. Cut after scrubbing: the SDK's own, earlier cut could leave half a key that nobody recognises."""

CHECK_IN_EVERY = 60.0
"""Seconds between two check-ins."""

_UNCUT = 1_000_000
_SHORTEST = 4
_SHORTEST_SEGMENT = 8
_URL = re.compile(r"\b(wss?|https?)://([^\s\"'<>\\]+)", re.IGNORECASE)
_KEYLIKE = re.compile(r"[A-Za-z0-9_-]{20,}")
_NAMED = re.compile(
    r"((?:api[_-]?key|token|secret|password|passwd|authorization|x-api-key|dsn)[\"']?\s*[=:]\s*[\"']?)"
    r"((?:bearer|basic)\s+)?[^\s\"'&,;)}\]]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
Scrub = Callable[[str], str]


def start(dsn: str | None, environment: str, release: str, secrets: Iterable[str]) -> bool:
    """Report errors to `dsn` from now on; False and nothing done without one.

    `secrets` is every secret value the configuration holds, whole node URLs among them (their keys are found in them).
    The SDK is imported here, so that a process without Sentry does not carry it.
    """
    if not dsn:
        return False
    import sentry_sdk  # noqa: PLC0415 — lazy on purpose, see above
    from sentry_sdk.integrations.dedupe import DedupeIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.logging import LoggingIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.threading import ThreadingIntegration  # noqa: PLC0415

    scrub = scrubber([*secrets, dsn])

    def clean(event: Any, _hint: Any) -> Any:  # noqa: ANN401 — the SDK's own types are open dictionaries
        return scrubbed(event, scrub)

    # Left out of the defaults: argv (tokens on a command line), modules, stdlib (URLs of our requests as breadcrumbs), atexit.
    with warnings.catch_warnings():
        # Newer SDKs would rather have `data_collection`, which older ones refuse and which switches their own scrubber off.
        warnings.simplefilter("ignore", DeprecationWarning)
        sentry_sdk.init(
            dsn=dsn,
            environment=environment,
            release=release,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[DedupeIntegration(), ExcepthookIntegration(), LoggingIntegration(), ThreadingIntegration()],
            send_default_pii=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_value_length=_UNCUT,
            before_send=clean,
            before_breadcrumb=clean,
            auto_session_tracking=False,
            send_client_reports=False,
            shutdown_timeout=2,
        )
    return True


async def check_in(slug: str, every: float, well: Callable[[], bool]) -> None:
    """Tell Sentry's cron monitor `slug`, which this makes, every so many seconds whether we are well; it says so when we do not.

    Runs until cancelled. Never blocks: a thread of the SDK sends.
    """
    from sentry_sdk.crons import capture_checkin  # noqa: PLC0415 — as in start
    from sentry_sdk.crons.consts import MonitorStatus  # noqa: PLC0415

    minutes = max(1, round(every / 60))
    schedule: Any = {"type": "interval", "value": minutes, "unit": "minute"}
    config: Any = {"schedule": schedule, "checkin_margin": 2 * minutes, "failure_issue_threshold": 1, "recovery_threshold": 1}
    while True:
        capture_checkin(monitor_slug=slug, status=MonitorStatus.OK if well() else MonitorStatus.ERROR, monitor_config=config)
        await asyncio.sleep(every)


def report(error: BaseException) -> None:
    """Send an error that was handled; nothing happens when Sentry was not started. Never blocks: a thread of the SDK sends."""
    if "sentry_sdk" in sys.modules:
        sys.modules["sentry_sdk"].capture_exception(error)


def stop(seconds: float = 2.0) -> None:
    """Send what waits, at most so long, and report nothing any more."""
    import sentry_sdk  # noqa: PLC0415 — as in start

    client = sentry_sdk.get_client()
    client.close(timeout=seconds)
    sentry_sdk.get_global_scope().set_client(None)


def scrubber(secrets: Iterable[str]) -> Scrub:
    """A function that takes every known secret, and whatever looks like one in a URL or after a telling name, out of a text.

    >>> scrub = scrubber(["wss://eth.example/v2/0a1b2c3d4e5f"])
    >>> scrub("GET /v2/0a1b2c3d4e5f failed at wss://user:pw@eth.example/v2/0a1b2c3d4e5f?k=1")
    'GET /v2/[redacted] failed at wss://eth.example/[redacted]'
    """
    known = sorted({form for secret in secrets for part in _parts(secret) for form in _forms(part)}, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def scrub(text: str) -> str:
        clean = _URL.sub(_bare, text)
        clean = pattern.sub(REDACTED, clean) if pattern else clean
        clean = _BEARER.sub(rf"\1 {REDACTED}", _NAMED.sub(rf"\1{REDACTED}", clean))
        return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"

    return scrub


def scrubbed(value: Any, scrub: Scrub) -> Any:  # noqa: ANN401 — any JSON-like value
    """The same value with every text in it scrubbed, keys included; what is not JSON-like becomes its scrubbed text."""
    if isinstance(value, str):
        return scrub(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {scrub(str(key)): scrubbed(item, scrub) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(item, scrub) for item in value]
    return scrub(str(value))


def _bare(found: re.Match[str]) -> str:
    """A URL down to where it leads: providers put their keys in user, path, query, and sometimes in the host's first label."""
    scheme, rest = found.groups()
    place = re.split(r"[/?#]", rest, maxsplit=1)
    host = place[0].rpartition("@")[2]
    first, dot, domain = host.partition(".")
    host = (REDACTED if dot and _KEYLIKE.fullmatch(first) else first) + dot + domain
    return f"{scheme}://{host}" + (f"/{REDACTED}" if len(place) > 1 and place[1] else "")


def _parts(secret: str) -> list[str]:
    """The secret itself, and if it is a URL whatever in it may be a key."""
    try:
        url = urlsplit(secret)
    except ValueError:
        return [secret]
    if not url.scheme or not url.netloc:
        return [secret]
    segments = [part for part in url.path.split("/") if len(part) >= _SHORTEST_SEGMENT]
    return [
        secret,
        *(part for part in (url.username, url.password) if part),
        *segments,
        *(value for _, value in parse_qsl(url.query)),
    ]


def _forms(part: str) -> set[str]:
    """As written, decoded, and encoded for a URL: the ways a text may show it. Very short ones would blank out ordinary words."""
    return {form for form in (part, unquote(part), quote(part, safe="")) if len(form) >= _SHORTEST}
