"""Launching an armed attack: into the public pool for all to see, or past it to the block builder."""

import msgspec
from eth_account import Account
from eth_utils.address import to_checksum_address

from monitor.demo.relay import Relay
from monitor.demo.scenery import TIP_OF_A_ROBBER, Attack
from monitor.demo.wallet import Wallet, fees


class Loss(msgspec.Struct, frozen=True):
    """What the victim held of the asset before and after, base units."""

    before: int
    after: int

    @property
    def share(self) -> float:
        """Which part of the money is gone, 0..1 (negative when there is more than before)."""
        return (self.before - self.after) / self.before if self.before else 0.0


async def launch(attack: Attack, wallet: Wallet, relay: Relay | None = None) -> str:
    """Send one transaction of the attack and return its hash; a private one needs the relay its observers look through.

    Raises ValueError for a private attack without a relay, and a NodeError when the node refuses.
    """
    if not attack.private:
        return await wallet.send(
            attack.attacker, attack.contract, attack.data, value=attack.value, gas=attack.gas, tip=TIP_OF_A_ROBBER
        )
    if relay is None:
        raise ValueError(f"{attack.name} on {attack.integration}: a private attack needs the relay that hides it")
    chain = int(await wallet.node.call("eth_chainId", []), 16)
    async with wallet.turn(attack.attacker) as nonce:
        raw, tx = _signed(attack, chain, nonce)
        relay.hide(tx)
        await wallet.node.call("eth_sendRawTransaction", [raw])
    return tx


def _signed(attack: Attack, chain: int, nonce: int) -> tuple[str, str]:
    """Raw bytes and hash, known before any node is."""
    most, priority = fees(TIP_OF_A_ROBBER)
    fields = {
        "chainId": chain, "nonce": nonce,
        "to": to_checksum_address(attack.contract), "data": attack.data, "value": attack.value, "gas": attack.gas,
        "maxFeePerGas": most, "maxPriorityFeePerGas": priority,
    }  # fmt: skip
    signed = Account.sign_transaction(fields, attack.key)
    return "0x" + signed.raw_transaction.hex(), "0x" + signed.hash.hex()


async def held(attack: Attack, wallet: Wallet) -> int:
    """What the victim holds now of the asset it is robbed of, base units."""
    return await wallet.holding(attack.victim, attack.asset)


async def loss(attack: Attack, wallet: Wallet, before: int) -> Loss:
    """What is gone since it held `before`. Call it after the attack was mined: without detectors this is the whole truth."""
    return Loss(before, await held(attack, wallet))
