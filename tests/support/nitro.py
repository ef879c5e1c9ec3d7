"""Arbitrum's pricing as Nitro does it, step by step, and a contract that says at ArbGasInfo's address what Nitro would say.

Written from `arbos/l2pricing/model.go`: as a block begins, time passed pays off what is owed and the price of the block after it
is set; then the block's gas is owed. Before ArbOS 50 one speed with a tolerance, since then a list of targets.
"""

import msgspec

from tests.support.bytecode import code, push

ARB_GAS_INFO = "0x000000000000000000000000000000000000006C"
ONE = 10_000
_SLOTS = {"f918379a": (0, 1), "1d5b5c20": (1, 1), "3dfb45b9": (2, 1), "25754f91": (3, 1), "612af178": (4, 3)}
"""Selector: first storage slot and number of words of the answer. Minimum price, backlog, inertia, tolerance, accounting."""

_LISTED = ("232027d1", 16)
"""getGasPricingConstraints and the slot where its answer begins."""


class Owed(msgspec.Struct):
    """Gas a second, seconds of inertia, seconds forgiven, gas owed."""

    speed: int
    inertia: int
    tolerance: int = 0
    backlog: int = 0


class Nitro:
    """One chain's pricing. `fee` is the next block's base fee, wei; `listed`: since ArbOS 50, with targets as a list."""

    def __init__(self, least: int, owed: list[Owed], *, listed: bool) -> None:
        self.least, self.owed, self.listed = least, owed, listed
        self.fee = least

    def block(self, seconds: int, used: int) -> int:
        """A block so many seconds after its parent that used so much gas; its base fee."""
        fee, exponent = self.fee, 0
        for one in self.owed:
            one.backlog = max(one.backlog - seconds * one.speed, 0)
            if one.backlog > one.tolerance * one.speed:
                exponent += (one.backlog - one.tolerance * one.speed) * ONE // (one.inertia * one.speed)
        grown = ONE + exponent // 4
        for i in (3, 2, 1):
            grown = ONE + grown * exponent // (i * ONE)
        self.fee = self.least * grown // ONE
        for one in self.owed:
            one.backlog += used
        return fee

    def contract(self) -> str:
        """What stands at `ARB_GAS_INFO`: it answers from its storage, and knows no list before ArbOS 50."""
        answers = dict(_SLOTS)
        if self.listed:
            answers[_LISTED[0]] = (_LISTED[1], 2 + 3 * len(self.owed))
        bodies = [
            b"\x5b"
            + b"".join(push(first + i) + b"\x54" + push(32 * i) + b"\x52" for i in range(words))
            + push(32 * words)
            + b"\x5f\xf3"
            for first, words in answers.values()
        ]
        told = 5 + 11 * len(answers)
        loop, body, refused = told + 9, told + 18, told + 33
        head, at = code("5f3560e01c"), refused + 4
        for selector, answer in zip(answers, bodies, strict=True):
            head += code("8063", selector, "1461", at.to_bytes(2, "big"), "57")
            at += len(answer)
        # Anything longer than a selector is pairs of slot and value to keep; a selector it does not know is refused.
        keep = code(
            "60043614", _to(refused), "57", "5f", "5b368110", _to(body), "5700", "5b806020013581355560400160", bytes([loop]), "56"
        )
        return "0x" + (head + keep + code("5b5f5ffd", *bodies)).hex()

    def told(self) -> str:
        """Calldata that has the contract say what is owed now."""
        return "0x" + "".join(f"{slot:064x}{value:064x}" for slot, value in self.storage().items())

    def storage(self) -> dict[int, int]:
        """What its slots hold now."""
        one = self.owed[0]
        held = {0: self.least, 1: one.backlog, 2: one.inertia, 3: one.tolerance, 4: one.speed, 5: 32_000_000, 6: 32_000_000}
        if self.listed:
            listed = [0x20, len(self.owed), *(n for each in self.owed for n in (each.speed, each.inertia, each.backlog))]
            held |= {_LISTED[1] + i: value for i, value in enumerate(listed)}
        return held


def _copied(first: int, word: int) -> bytes:
    """A storage slot into its word of the answer."""
    return code(push(first + word), "54", push(32 * word), "52")


def _to(place: int) -> bytes:
    """PUSH2 of a jump's target."""
    return b"\x61" + place.to_bytes(2, "big")
