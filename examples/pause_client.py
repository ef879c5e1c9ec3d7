"""Ask Seawall before money moves. Copy this file: standard library only; signatures are checked where `cryptography` is present.

    flags = PauseFlags(["https://seawall-a:8080", "https://seawall-b:8080"], key="<public key, hex>")
    flags.start()
    if not flags.may_use("aave-v3"): ...            # a read of memory, no network

Several daemons need no cluster: any fresh pause wins, `run` needs one fresh answer, all else is unknown; `on_unknown` (`stop` or
`continue`) is your declared side. A pause that grows old becomes unknown, never run. Newer is what (epoch, revision) says.
"""

import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

SKEW = 5.0  # seconds that a daemon's clock and ours may differ, where signatures are checked


class Source:
    """One daemon as we last heard of it. `until`: when its answers are too old, monotonic seconds."""

    def __init__(self, url: str) -> None:
        self.url, self.tag, self.until, self.trouble = url.rstrip("/"), "", float("-inf"), "not heard of yet"
        self.flags: dict[str, str] = {}
        self.newest: dict[str, tuple[int, int]] = {}


class PauseFlags:
    """`key`: the daemons' Ed25519 public key in hex; answers that it did not sign count as no answer."""

    def __init__(
        self, urls: list[str], key: str = "", on_unknown: str = "stop", every: float = 1.0, timeout: float = 2.0
    ) -> None:
        self.sources = [Source(url) for url in urls]
        self.on_unknown, self.every, self.timeout = on_unknown, every, timeout
        self.context = ssl.create_default_context()  # load your own authority into it
        self.verify: Callable[[bytes, bytes], None] | None = None
        if key:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - only with a key

            self.verify = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify

    def state(self, integration: str, now: float | None = None) -> str:
        """`run`, `pause` or `unknown`."""
        now, answer = time.monotonic() if now is None else now, "unknown"
        for source in self.sources:
            if now < source.until:
                said = source.flags.get(integration)
                if said == "pause":
                    return said
                answer = "run" if said == "run" else answer
        return answer

    def may_use(self, integration: str, now: float | None = None) -> bool:
        """True: go on. Unknown goes to the declared side."""
        state = self.state(integration, now)
        return state == "run" or (state == "unknown" and self.on_unknown == "continue")

    def start(self) -> None:
        """Ask every daemon for ever, each in a thread of its own: one that hangs holds up no other."""
        for source in self.sources:
            threading.Thread(target=self._follow, args=(source,), daemon=True).start()

    def _follow(self, source: Source) -> None:
        while True:
            self.ask(source)
            time.sleep(self.every)

    def ask(self, source: Source) -> None:
        """One question. What goes wrong leaves the last answer to grow old."""
        asked, headers = time.monotonic(), {"If-None-Match": f'"{source.tag}"'} if source.tag else {}
        request = urllib.request.Request(f"{source.url}/v1/flags", headers=headers)  # noqa: S310 - the URL is yours
        try:
            with urllib.request.urlopen(request, timeout=self.timeout, context=self.context) as answer:  # noqa: S310
                self.take(source, answer.status, dict(answer.headers), answer.read(), asked)
        except urllib.error.HTTPError as error:
            with error:
                self.take(source, error.code, dict(error.headers), b"", asked)
        except Exception as error:  # noqa: BLE001 - refused, cut off, garbled: no answer
            source.trouble = repr(error)

    def take(
        self, source: Source, status: int, headers: Mapping[str, str], body: bytes, now: float, wall: float | None = None
    ) -> None:
        """An answer to what was asked at `now` (monotonic; `wall`: unix seconds). What does not fit is no answer."""
        try:
            told = {name.lower(): value for name, value in headers.items()}  # proxies change the case of names
            tag, valid_for = told["etag"].split('"')[1], float(told["x-flags-valid-for"])
            if self.verify:
                self._check(self.verify, tag, told, body, time.time() if wall is None else wall)
            flags = json.loads(body)["flags"] if status == 200 else []
            order = {flag["integration"]: (flag["epoch"], flag["revision"]) for flag in flags}
            older = [name for name, seen in source.newest.items() if order.get(name, seen) < seen]
            if older or status not in (200, 304) or (status == 304 and tag != source.tag):
                source.trouble = f"{status}, older than what it said before: {older}"
                return
            if status == 200:
                source.newest.update(order)
                source.flags = {flag["integration"]: flag["state"] for flag in flags}
            source.tag, source.until, source.trouble = tag, now + valid_for, ""
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            source.trouble = repr(error)

    def _check(self, verify: Callable[[bytes, bytes], Any], tag: str, told: dict[str, str], body: bytes, wall: float) -> None:
        """Signed freshness, signed document, one tag on both; raises otherwise."""
        shown = [told[name] for name in ("x-flags-as-of", "x-flags-valid-for", "x-flags-epoch")]
        verify(base64.b64decode(told["x-flags-signature"].partition(":")[2]), "\n".join([tag, *shown]).encode())
        if abs(wall - float(shown[0])) > float(shown[1]) + SKEW:
            raise ValueError("an old answer, played again")
        if body:
            signed, _, rest = body.rpartition(b',"key_id":"')
            verify(base64.b64decode(rest.split(b'"sig":"')[1].split(b'"')[0]), signed + b"}")
            if json.loads(body)["version"] != tag:
                raise ValueError("a document under another's tag")
