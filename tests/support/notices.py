"""Small builders of what alerts are made from: a breaker's notice, its findings, and the notification rendered from them."""

from alerts.base import Notice, Notification
from alerts.render import notify
from detectors.base import Finding, Severity
from detectors.events import Position, Stage

VAULT = "0x" + "ab" * 20
TX = "0x" + "cd" * 32


def finding(title: str = "re-entered before its balance was written", **changes: object) -> Finding:
    """A critical finding on a pending transaction, with numbers."""
    made: dict[str, object] = {
        "id": "f1",
        "detector": "reentrancy",
        "kind": "classic",
        "subject": VAULT,
        "victims": (VAULT,),
        "chain": "eip155:1",
        "at": 1_767_323_045.0,
        "severity": Severity.CRITICAL,
        "confidence": 0.95,
        "title": title,
        "evidence": {"lost": "12345678901234567890", "depth": 3, "share": 0.41},
        "causes": (f"eip155:1/tx/{TX}",),
        "stage": Stage.PENDING,
        "tx": TX,
    }
    return Finding(**(made | changes))  # type: ignore[arg-type]


def mined(title: str = "reserve fell", height: int = 21_000_000) -> Finding:
    """The same seen in a block."""
    return finding(title, stage=Stage.INCLUDED, position=Position(height=height, id="0xb10c"))


def notice(after: str = "open", before: str = "closed", **changes: object) -> Notice:
    """A breaker's decision about the integration `aave-v3`."""
    made: dict[str, object] = {
        "integration": "aave-v3",
        "chain": "eip155:1",
        "before": before,
        "after": after,
        "at": 1_767_323_045.25,
        "reason": "reentrancy classic: re-entered",
        "by": "policy:standard",
        "revision": 17,
        "findings": (finding(),) if after == "open" else (),
        "links": {"incident": "https://seawall.example.org/incidents/17", "runbook": "https://runbooks.example.org/reentrancy"},
    }
    return Notice(**(made | changes))  # type: ignore[arg-type]


def told(after: str = "open", before: str = "closed", **changes: object) -> Notification:
    """The notification of such a decision."""
    return notify(notice(after, before, **changes))
