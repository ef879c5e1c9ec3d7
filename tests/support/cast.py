"""The cast of the staged executions: who they are, where they keep their books, and the call that starts it all."""

from detectors.execution import Execution
from tests.support.executions import ETHER, Node, address, call, execution

THIEF, FRIEND, BANK, TOKEN, OTHER, POOL = (address(name) for name in ("thief", "friend", "bank", "token", "other", "pool"))
LENDER, COMPTROLLER, LEDGER, LOGIC, FACTORY = (address(name) for name in ("lender", "comptroller", "ledger", "logic", "factory"))
ROUTER = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
ZERO = "0x" + "0" * 40
DEPOSITED, SUPPLY, DEBT, LOCK, TOTAL = 0x6F0000, 0x700000, 0x710000, 0x0, 0x2
TEN = 10 * ETHER


def attack(*nodes: Node, value: int = 0) -> Execution:
    """The sender calls its own contract, which does the rest."""
    return execution(call(THIEF, "attack()", *nodes, value=value))
