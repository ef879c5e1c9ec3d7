"""The payment company's own money in the vault, and how it gets it out when the flag says pause."""

from monitor.demo.artifacts import ours
from monitor.demo.scenery import Stage
from monitor.demo.wallet import GWEI, Wallet

_TIP = 20 * GWEI
_REDEEM = ours("ShareVault")


class Treasury:
    """Holds shares of the vault called `integration`. `begin` notes their worth, `rescue` redeems them all at once."""

    def __init__(self, wallet: Wallet, stage: Stage, integration: str) -> None:
        self.wallet = wallet
        self.account = stage.treasury
        self.vault = stage.integration(integration).victim
        self.dollar = stage.market.dollar
        self.shares = 0
        self.worth = 0

    async def begin(self) -> int:
        """Note shares and their worth (dollars, base units) before any attack; returns the worth."""
        self.shares = int(await self.wallet.read(self.vault, _REDEEM, "balanceOf", self.account))
        self.worth = int(await self.wallet.read(self.vault, _REDEEM, "convertToAssets", self.shares))
        return self.worth

    async def rescue(self) -> str:
        """Redeem everything now, paying enough to be first in the next block; returns the transaction's hash."""
        data = _REDEEM.call("redeem", self.shares, self.account, self.account)
        return await self.wallet.send(self.account, self.vault, data, tip=_TIP)

    async def saved_share(self, tx: str | None) -> float:
        """Which part of the deposit's worth at `begin` is safe, 0..1.

        With a rescue mined as `tx`: what it brought home. With None (nobody called): what the shares are worth now.
        """
        if tx is None:
            now = int(await self.wallet.read(self.vault, _REDEEM, "convertToAssets", self.shares))
            return now / self.worth
        receipt = await self.wallet.receipt(tx)
        home = self.account[2:].rjust(64, "0")
        brought = sum(
            int(log["data"], 16)
            for log in receipt["logs"]
            if log["address"].lower() == self.dollar and log["topics"][-1].lower().endswith(home)
        )
        return brought / self.worth
