"""Proxies: whose code runs at an address, and who may exchange it."""

import re

import msgspec

from monitor.survey.reads import OWNER, Look, named

IMPLEMENTATION = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
ADMIN = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
BEACON = "0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"
"""EIP-1967."""

PROXIABLE = "0xc5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7"
"""EIP-1822's."""

OLD_IMPLEMENTATION = "0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3"
OLD_ADMIN = "0x10d6a54a4754c8869d6886b5f5d7fbfa5b4522237ea5c60d11bc4e7a1ff9390b"
"""OpenZeppelin's before EIP-1967; USDC on Ethereum still has them."""

BEACONS_IMPLEMENTATION = "0x5c60da1b"

_MINIMAL = re.compile(r"^(?:363d3d373d3d3d363d|365f5f375f5f365f)(?:73([0-9a-f]{40})|7[0-2]([0-9a-f]{34,38}))5af4")
"""EIP-1167 (shorter pushes for vanity addresses), and EIP-7511's with PUSH0."""

_DELEGATED = re.compile(r"^ef0100([0-9a-f]{40})$")
"""EIP-7702: an account that runs a contract's code."""


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before other code. `admin` may exchange it; `rules` is who owns admin or beacon, where that is a contract.

    `kind` in words. `admin` None and `fixed`: nobody may; None otherwise: not told by a slot, so ask its authors.
    """

    kind: str
    implementation: str | None = None
    beacon: str | None = None
    admin: str | None = None
    rules: str | None = None
    fixed: bool = False


def minimal(code: str) -> Proxy | None:
    """The proxy that this code (hex, no 0x) is by itself, None where it is none.

    >>> minimal("363d3d373d3d3d363d73" + "ab" * 20 + "5af43d82803e903d91602b57fd5bf3").implementation == "0x" + "ab" * 20
    True
    >>> minimal("60806040") is None
    True
    """
    if found := _MINIMAL.match(code):
        return Proxy(kind="minimal (EIP-1167)", implementation="0x" + (found[1] or found[2]).rjust(40, "0"), fixed=True)
    if found := _DELEGATED.match(code):
        return Proxy(kind="an account that runs a contract's code (EIP-7702)", implementation="0x" + found[1])
    return None


async def proxy(look: Look, contract: str, code: str) -> Proxy | None:
    """The proxy at this address, None where none is recognised. Raises NodeError."""
    if (found := minimal(code)) is not None:
        return found
    slots = (IMPLEMENTATION, ADMIN, BEACON, PROXIABLE, OLD_IMPLEMENTATION, OLD_ADMIN)
    target, admin, beacon, universal, old, old_admin = await look.slots(contract, slots)
    if beacon is not None:
        behind, owner = await look.views([(beacon, BEACONS_IMPLEMENTATION), (beacon, OWNER)])
        return Proxy(kind="beacon (EIP-1967)", beacon=beacon, implementation=named(behind), admin=admin, rules=named(owner))
    if target is not None or universal is not None:
        kind = "EIP-1967" if target is not None else "EIP-1822"
        return Proxy(kind=kind, implementation=target or universal, admin=admin, rules=await _owner(look, admin or contract))
    if old is not None:
        return Proxy(
            kind="OpenZeppelin's, before EIP-1967", implementation=old, admin=old_admin,
            rules=await _owner(look, old_admin or contract),
        )  # fmt: skip
    return None


async def _owner(look: Look, contract: str) -> str | None:
    return named(await look.view(contract, OWNER))
