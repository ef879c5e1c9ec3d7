"""RLP, as far as hashing needs it: bytes and lists into bytes (Yellow Paper, appendix B)."""

from collections.abc import Sequence

Item = bytes | Sequence["Item"]
_SHORT = 55


def encode(item: Item) -> bytes:
    """One item.

    >>> encode([b"cat", [], b"", bytes(1)]).hex()
    'c783636174c08000'
    """
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _headed(0x80, item)
    return _headed(0xC0, b"".join([encode(one) for one in item]))


def number(written: str) -> bytes:
    r"""A 0x-quantity as RLP has integers: big-endian without leading zeros. Raises ValueError.

    >>> number("0x0"), number("0x400")
    (b'', b'\x04\x00')
    """
    value = int(written, 16)
    if value < 0:
        raise ValueError("an integer below zero")
    return integer(value)


def integer(value: int) -> bytes:
    """An integer of ours as RLP has it."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def _headed(kind: int, body: bytes) -> bytes:
    if len(body) <= _SHORT:
        return bytes((kind + len(body),)) + body
    size = integer(len(body))
    return bytes((kind + _SHORT + len(size),)) + size + body
