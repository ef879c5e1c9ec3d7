"""What stands on the stage: integrations with the contracts to watch, the attacks armed against them, and the amounts."""

import msgspec

from monitor.demo.market import Market
from monitor.demo.wallet import ETHER, GWEI

REENTRANCY, CROSS_FUNCTION, FLASH_LOAN, PRIVATE = "reentrancy", "cross-function", "flash-loan", "private"
NATIVE = "native"
PUBLIC_ATTACKS = (REENTRANCY, FLASH_LOAN)
ALL_PUBLIC_ATTACKS = (REENTRANCY, FLASH_LOAN, CROSS_FUNCTION)

BANK_DEPOSITS = 100 * ETHER
LENT = 1_000_000 * ETHER
POOLED = 1_000_000 * ETHER
FLASHED = 2_000_000 * ETHER
VAULT_DEPOSITS = 1_000_000 * ETHER
BLOCK_LIMIT = VAULT_DEPOSITS * 30 // 100
SWEEPS = 4
"""Blocks it takes to empty the vault at 30 % of its first deposits a block."""

TIP_OF_A_ROBBER = 3 * GWEI
"""What attackers pay above the base fee per gas: more than honest traffic does."""


class Contract(msgspec.Struct, frozen=True):
    """A contract to watch: `kind` is a pool kind of Seawall's, `assets` token addresses (ether always counts)."""

    address: str
    kind: str
    role: str
    assets: tuple[str, ...]


class Integration(msgspec.Struct, frozen=True):
    """Something a payment company uses; the first contract holds the money."""

    id: str
    contracts: tuple[Contract, ...]

    @property
    def victim(self) -> str:
        """Address of the contract that holds the money."""
        return self.contracts[0].address


class Attack(msgspec.Struct, frozen=True):
    """An armed attack: send `data` from `attacker` to `contract` and `victim` loses `asset`.

    `transactions` is how many such calls it takes (one a block); `private`: they go to the block builder, not to the public
    pool, signed with `key`. `ordered`: the call tree and the flows alone do not decide, storage order does.
    """

    name: str
    integration: str
    attacker: str
    contract: str
    data: str
    victim: str
    asset: str
    value: int = 0
    gas: int = 4_000_000
    transactions: int = 1
    private: bool = False
    ordered: bool = False
    key: str = ""


class Stage(msgspec.Struct, frozen=True):
    """All that was deployed. `trusted` are the protocols' own contracts and honest helpers; `actors` are honest accounts.

    `treasury` is the payment company's account; it holds a tenth of the share vault.
    """

    market: Market
    integrations: tuple[Integration, ...]
    attacks: tuple[Attack, ...]
    trusted: tuple[str, ...]
    actors: tuple[str, ...]
    treasury: str
    swapper: str

    def integration(self, name: str) -> Integration:
        """One integration by id. Raises KeyError."""
        for integration in self.integrations:
            if integration.id == name:
                return integration
        raise KeyError(name)
