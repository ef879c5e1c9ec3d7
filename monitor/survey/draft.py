"""The draft: a configuration of what was found, with comments that say what was seen and what is left to decide.

Every word of a contract stands in a comment, on one line, without anything that YAML or a terminal could take for more; names
of integrations are made of letters, digits and dashes, and end with the address, since a symbol proves nothing.
"""

import re
from collections.abc import Sequence

import msgspec

from monitor.survey.chain import Setting
from monitor.survey.recognise import Found
from monitor.survey.sections import HEADING, chain_lines, integration_lines, open_questions, rest_lines

LONGEST_NAME = 48


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are to be: `node` as the configuration names it, listeners as HOST:PORT, the journal's file."""

    node: str
    journal: str
    read: str = "127.0.0.1:8080"
    admin: str = "127.0.0.1:8081"
    mode: str = "shadow"


class Draft(msgspec.Struct, frozen=True):
    """The text, the integrations in it by name, and the addresses that are left out."""

    text: str
    integrations: dict[str, Found]
    left_out: tuple[Found, ...]


def draft(setting: Setting, found: Sequence[Found], places: Places, names: Sequence[str] = ()) -> Draft:
    """Write it. `names` are the wished names of the found, in order, empty where there is no wish."""
    wished = list(names) + [""] * (len(found) - len(names))
    watchable: dict[str, Found] = {}
    for one, name in zip(found, wished, strict=True):
        if one.watchable:
            wanted = name or named(one)
            watchable[wanted if wanted not in watchable else f"{wanted}-{one.address[2:]}"] = one
    left_out = tuple(one for one in found if not one.watchable)
    lines = [*HEADING, "version: 1", "", *chain_lines(setting, places.node), "", "integrations:"]
    for name, one in watchable.items():
        lines += integration_lines(name, one, setting.name, places.mode)
    lines += [f"  # left out: {one.address}: {'; '.join(one.notes)}" for one in left_out]
    lines += ["", *open_questions(setting, watchable), *rest_lines(places.journal, places.read, places.admin)]
    return Draft("\n".join(lines) + "\n", watchable, left_out)


def named(found: Found) -> str:
    """A name for the integration of a contract: kind, what it calls its tokens, and six digits of its address.

    >>> from monitor.survey.tokens import Token
    >>> pair = (Token("0x1", "WETH"), Token("0x2", "US D'C"))
    >>> named(Found(address="0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc", kind="uniswap_v2", assets=pair))
    'uniswap-v2-weth-us-d-c-b4e16d'
    >>> named(Found(address="0x" + "ab" * 20, kind="holdings", role="contract"))
    'contract-ababab'
    """
    what = found.role if found.kind == "holdings" else found.kind
    own = (found.itself,) if found.itself is not None else found.assets
    words = [what, *(token.symbol for token in own if token is not None)]
    text = "-".join(filter(None, (re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-") for word in words)))
    return f"{text[:LONGEST_NAME].strip('-')}-{found.address[2:8]}"
