"""What a layer 2 charges for its data on layer 1: the chain's own estimate, asked of its fee contract. Advice, like all of gas.

OP Stack chains answer from their GasPriceOracle predeploy (`getL1FeeUpperBound`, since Fjord), Arbitrum from the ArbGasInfo
precompile (`getPricesInWei`: wei per L1 calldata unit, 16 units a byte).
"""

import asyncio

import structlog

from monitor import metrics
from monitor.chains.evm import Evm
from monitor.errors import NodeError, NodeGarbled
from monitor.newest import Newest

log = structlog.get_logger()

TYPICAL_BYTES = 200
"""A swap through a router, unsigned and before compression."""
EVERY = 12.0
"""Seconds between two questions: layer 1's fee moves once a slot."""
WITHIN = 2.0

_ORACLE = "0x420000000000000000000000000000000000000f"
_UPPER_BOUND = "0xf1c7a58b"
_GAS_INFO = "0x000000000000000000000000000000000000006c"
_PRICES = "0x41b247a8"
_UNITS_A_BYTE = 16
_WORD = 64


class L1Fee:
    """One chain's. `how` is `op_stack` or `arbitrum`; `wei` the fee of a transaction of TYPICAL_BYTES, None while unknown."""

    def __init__(self, evm: Evm, newest: Newest, how: str) -> None:
        self.wei: int | None = None
        self._evm = evm
        self._newest = newest
        self._how = how

    async def run(self) -> None:
        """Ask until cancelled. What cannot be had is unknown, not zero."""
        while True:
            await self._newest.settled()
            try:
                self.wei = await self.of(TYPICAL_BYTES)
                metrics.L1_DATA_FEE.labels(self._newest.chain).set(self.wei)
            except NodeError as error:
                if self.wei is not None:
                    log.warning("l1_fee_unknown", chain=self._newest.chain, error=str(error))
                self.wei = None
                metrics.L1_DATA_FEE.labels(self._newest.chain).set(float("nan"))
            await asyncio.sleep(EVERY)

    async def of(self, size: int) -> int:
        """Wei that the data of a transaction of so many bytes costs at most, by the newest judged block. Raises NodeError."""
        at = self._newest.at()
        if self._how == "op_stack":
            return _word(await self._evm.view(_ORACLE, f"{_UPPER_BOUND}{size:064x}", at, within=WITHIN), 0)
        prices = await self._evm.view(_GAS_INFO, _PRICES, at, within=WITHIN)
        return size * _UNITS_A_BYTE * _word(prices, 1)


def _word(answer: str, index: int) -> int:
    word = answer.removeprefix("0x")[index * _WORD : (index + 1) * _WORD]
    if len(word) != _WORD:
        raise NodeGarbled("no fee in the answer of the chain's fee contract; is it a chain of this kind?")
    return int(word, 16)
