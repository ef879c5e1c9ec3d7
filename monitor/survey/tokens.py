"""Tokens by what they say of themselves, which is whatever their author liked: shown harmless, believed in nothing."""

from collections.abc import Iterable

import msgspec

from alerts.text import from_chain
from monitor.feeds.pools.base import TOTAL_SUPPLY, number
from monitor.survey.reads import DECIMALS, SYMBOL, Look

LONGEST = 24
"""Characters kept of a symbol."""

_BALANCE_OF_ITSELF = "0x70a08231"


class Token(msgspec.Struct, frozen=True):
    """A token. `symbol` is its own word, made harmless; empty where it has none. `decimals` None: not told, or impossible."""

    address: str
    symbol: str = ""
    decimals: int | None = None

    @property
    def label(self) -> str:
        """Its symbol in quotes, or that it has none."""
        return f"'{self.symbol}'" if self.symbol else "without a symbol"


async def tokens(look: Look, addresses: Iterable[str]) -> dict[str, Token]:
    """Each of these as a token. Raises NodeError."""
    wanted = list(dict.fromkeys(addresses))
    told = await look.views([(address, data) for address in wanted for data in (SYMBOL, DECIMALS)])
    return {
        address: Token(address, symbol(told[2 * place]), _decimals(told[2 * place + 1])) for place, address in enumerate(wanted)
    }


async def is_token(look: Look, address: str) -> bool:
    """Does it answer as ERC-20 does? A name for itself, decimals, a supply, and somebody's balance of it."""
    reads = (SYMBOL, DECIMALS, TOTAL_SUPPLY, _BALANCE_OF_ITSELF + address[2:].rjust(64, "0"))
    name, decimals, supply, held = await look.views([(address, data) for data in reads])
    return bool(name) and _decimals(decimals) is not None and number(supply) is not None and number(held) is not None


def symbol(answer: str | None) -> str:
    r"""What `symbol()` returned, as text or as the bytes32 of old tokens, fit for a comment on one line.

    >>> old = "0x4d4b52" + "00" * 29
    >>> new = "0x" + f"{32:064x}" + f"{4:064x}" + "55534443" + "00" * 28
    >>> symbol(old), symbol(new), symbol("0x"), symbol("0xzz")
    ('MKR', 'USDC', '', '')
    >>> symbol("0x" + f"{32:064x}" + f"{6:064x}" + b"a\n b:#".hex().ljust(64, "0"))
    'a b:#'
    """
    try:
        raw = bytes.fromhex((answer or "0x")[2 : 2 + 64 * 5])
    except ValueError:
        return ""
    if len(raw) >= 96 and int.from_bytes(raw[:32]) == 32:
        raw = raw[64 : 64 + min(int.from_bytes(raw[32:64]), 96)]
    elif len(raw) == 32:
        raw = raw.rstrip(b"\0")
    else:
        return ""
    return from_chain(raw.decode("utf-8", "replace"), LONGEST)


def _decimals(answer: str | None) -> int | None:
    value = number(answer)
    return value if value is not None and value <= 77 else None
