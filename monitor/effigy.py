"""The canary's attack in effigy: a trace as a node would write it, of contracts that exist on no chain.

Three nested withdrawals, each paid again before the one around it has settled its books (The DAO, 2016): what the detectors must
find at first sight, without storage order and without a node.
"""

import hashlib
import json
from functools import cache

import msgspec

from detectors.events import Stage
from detectors.execution import Execution
from monitor.chains.traces import Origin, Words, calltracer


def _nowhere(part: str) -> str:
    """An address that is the hash of a sentence: nobody has its key, nobody can deploy to it."""
    return "0x" + hashlib.sha256(f"seawall proof of life, {part}, on no chain".encode()).hexdigest()[:40]


BANK, THIEF, PERSON = (_nowhere(part) for part in ("bank", "thief", "person"))
_TURNS, _TEN = 3, 10**19
_DEPOSIT, _WITHDRAW, _STEAL = "0xd0e30db0", "0x3ccfd60b", "0xaf8271f7"


@cache
def trace() -> bytes:
    """The trace, JSON of the callTracer."""
    inner: dict[str, object] | None = None
    for _ in range(_TURNS):
        paid = _call(BANK, THIEF, _TEN, "0x", inner)
        inner = _call(THIEF, BANK, 0, _WITHDRAW, paid)
    deposit, spoils = _call(THIEF, BANK, _TEN, _DEPOSIT, None), _call(THIEF, PERSON, _TURNS * _TEN, "0x", None)
    root = _call(PERSON, THIEF, _TEN, _STEAL, None) | {"calls": [deposit, inner, spoils]}
    return json.dumps(root).encode()


def burn(chain: str, at: float) -> Execution:
    """The attack at this time (unix seconds), pending, read by the parser that reads a node's traces."""
    tx = "0x" + hashlib.sha256(f"{BANK}\0{chain}\0{at!r}".encode()).hexdigest()
    origin = Origin(source="proof of life", chain=chain, at=at, tx=tx, stage=Stage.PENDING, logged=True)
    return calltracer.read(msgspec.json.decode(trace(), type=calltracer.CallFrame), origin, Words())


def _call(sender: str, to: str, value: int, data: str, inside: dict[str, object] | None) -> dict[str, object]:
    made: dict[str, object] = {"type": "CALL", "from": sender, "to": to, "value": hex(value), "input": data, "gasUsed": "0x5208"}
    return made | ({"calls": [inside]} if inside is not None else {})
