"""What the protocol already decides about the next fee, in integers: never forecast what is known.

Sources: EIP-1559, EIP-4844, EIP-7691, EIP-7918; the OP Stack's Holocene and Jovian specifications; Arbitrum Nitro's `l2pricing`.
All fees are wei, all gas is gas. Everything here is exact or raises ValueError; nothing rounds twice.
"""

from bisect import bisect_right

import msgspec

GAS_PER_BLOB = 2**17
BLOB_BASE_COST = 2**13
"""EIP-7918: the execution gas a blob must at least pay for."""

MOST_EXPONENT = 177
"""exp(178) exceeds 2**256: a larger exponent in a header is a lie, and the series would never end."""


def next_base_fee(base_fee: int, gas_used: int, gas_limit: int, elasticity: int = 2, denominator: int = 8) -> int:
    """EIP-1559: the base fee (wei) of the child of a header with this base fee (wei), gas used and gas limit.

    >>> next_base_fee(1_000_000_000, 9_000_000, 20_000_000)
    987500000
    """
    if elasticity <= 0 or denominator <= 0:
        raise ValueError(f"EIP-1559 needs elasticity and denominator above zero, not {elasticity} and {denominator}")
    if base_fee < 0 or gas_used < 0 or gas_limit < 0:
        raise ValueError(f"a header has no negative numbers: base fee {base_fee}, gas {gas_used} of {gas_limit}")
    target = gas_limit // elasticity
    if target in {gas_used, 0}:
        return base_fee
    if gas_used > target:
        return base_fee + max(base_fee * (gas_used - target) // target // denominator, 1)
    return max(base_fee - base_fee * (target - gas_used) // target // denominator, 0)


def fake_exponential(factor: int, numerator: int, denominator: int) -> int:
    """EIP-4844: factor * e ** (numerator / denominator), by its integer Taylor series."""
    if denominator <= 0 or numerator < 0 or numerator > MOST_EXPONENT * denominator:
        raise ValueError(f"e ** ({numerator} / {denominator}) is no fee: the exponent must lie in 0..{MOST_EXPONENT}")
    total, term, i = 0, factor * denominator, 1
    while term > 0:
        total += term
        term = term * numerator // denominator // i
        i += 1
    return total // denominator


class BlobParams(msgspec.Struct, frozen=True):
    """Blobs from unix time `start` on: target and most per block, update fraction, and whether EIP-7918 holds."""

    start: int
    target: int
    most: int
    fraction: int
    reserve: bool = False


MAINNET_BLOBS = (
    BlobParams(1710338135, 3, 6, 3338477),
    BlobParams(1746612311, 6, 9, 5007716),
    BlobParams(1764798551, 6, 9, 5007716, reserve=True),
    BlobParams(1765290071, 10, 15, 8346193, reserve=True),
    BlobParams(1767747671, 14, 21, 11684671, reserve=True),
)
"""Cancun, Prague, Osaka, and the first two blob-parameter forks. A schedule is configuration: pass a newer one."""


def blob_params(schedule: tuple[BlobParams, ...], at: int) -> BlobParams | None:
    """The entry in force at unix time `at` (take the child's), or None before the first."""
    index = bisect_right(schedule, at, key=lambda entry: entry.start)
    return schedule[index - 1] if index else None


def blob_base_fee(excess: int, params: BlobParams) -> int:
    """EIP-4844: wei per blob gas at this excess blob gas."""
    return fake_exponential(1, excess, params.fraction)


def next_excess_blob_gas(excess: int, blob_gas_used: int, base_fee: int, params: BlobParams) -> int:
    """Excess blob gas of the child: excess, blob gas used and base fee (wei) are the parent's, `params` the child's."""
    if min(excess, blob_gas_used, base_fee) < 0 or params.most <= 0:
        raise ValueError(f"no header has excess {excess}, blob gas {blob_gas_used}, base fee {base_fee} under {params}")
    target = params.target * GAS_PER_BLOB
    if excess + blob_gas_used < target:
        return 0
    if params.reserve and BLOB_BASE_COST * base_fee > GAS_PER_BLOB * blob_base_fee(excess, params):
        return excess + blob_gas_used * (params.most - params.target) // params.most
    return excess + blob_gas_used - target


class OpParams(msgspec.Struct, frozen=True):
    """What an OP Stack header says about its child's base fee; `footprint`: blob gas used counts as gas (Jovian)."""

    elasticity: int
    denominator: int
    least_wei: int = 0
    footprint: bool = False


def op_params(extra_data: bytes, otherwise: OpParams | None = None) -> OpParams:
    """Read the parent's `extraData`: Holocene (version 0, 9 bytes) or Jovian (version 1, 17 bytes).

    Anything else is `otherwise`, the chain's configuration from before Holocene; without one it raises ValueError.
    """
    version, size = (extra_data[0] if extra_data else None), len(extra_data)
    if (version, size) not in {(0, 9), (1, 17)}:
        if otherwise is None:
            raise ValueError(f"extraData of {size} bytes, version {version}, is neither Holocene nor Jovian; configure the chain")
        return otherwise
    denominator, elasticity = int.from_bytes(extra_data[1:5]), int.from_bytes(extra_data[5:9])
    if denominator == 0 or elasticity == 0:
        raise ValueError(
            f"extraData holds denominator {denominator} and elasticity {elasticity}; a valid header has neither zero"
        )
    return OpParams(elasticity, denominator, int.from_bytes(extra_data[9:17]), footprint=version == 1)


def next_op_base_fee(base_fee: int, gas_used: int, gas_limit: int, params: OpParams, blob_gas_used: int = 0) -> int:
    """The OP Stack's base fee (wei) of the child; since Jovian `blobGasUsed` holds the data-availability footprint."""
    used = max(gas_used, blob_gas_used) if params.footprint else gas_used
    return max(next_base_fee(base_fee, used, gas_limit, params.elasticity, params.denominator), params.least_wei)


class ArbitrumParams(msgspec.Struct, frozen=True):
    """As ArbGasInfo reports them: wei, gas per second, seconds, seconds."""

    least_wei: int
    speed: int = 7_000_000
    inertia: int = 102
    tolerance: int = 10


def next_arbitrum(backlog: int, gas_used: int, seconds: int, params: ArbitrumParams) -> tuple[int, int]:
    """Backlog (gas) and base fee (wei) after a block that used `gas_used`, when the next starts `seconds` later.

    Nitro's own arithmetic: the exponent in basis points, and its quartic in place of e.
    """
    if params.speed <= 0 or params.inertia <= 0 or min(backlog, gas_used, seconds) < 0:
        raise ValueError(f"Arbitrum's price needs speed and inertia above zero and nothing negative, not {params}")
    left = max(backlog + gas_used - seconds * params.speed, 0)
    excess = max(left - params.tolerance * params.speed, 0)
    return left, arbitrum_fee(params.least_wei, excess * 10_000 // (params.inertia * params.speed))


def arbitrum_fee(least_wei: int, bips: int) -> int:
    """The base fee (wei) at an exponent in basis points: Nitro's quartic in place of e, rounded as it rounds.

    >>> arbitrum_fee(10_000_000, 0), arbitrum_fee(10_000_000, 10_000)
    (10000000, 27083000)
    """
    growth = 10_000 + bips // 4
    for i in (3, 2, 1):
        growth = 10_000 + growth * bips // (i * 10_000)
    return least_wei * growth // 10_000
