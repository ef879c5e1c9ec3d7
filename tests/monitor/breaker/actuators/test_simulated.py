"""An on-chain pause looked at on a real node: OpenZeppelin's own Pausable, its role revoked, its sender emptied or stuck."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from detectors.events import Position
from monitor.breaker.actuators.base import Head, Readiness, Target
from monitor.breaker.actuators.simulated import STUCK_AFTER, Simulated
from monitor.chains.rpc import Rpc
from monitor.config import load
from monitor.demo.anvil import Anvil
from monitor.demo.artifacts import Artifact
from monitor.demo.node import HttpNode
from monitor.demo.wallet import Wallet
from monitor.doctor import examine, told
from tests.support.daemon import TOKEN, Daemon, settings
from tests.support.parts import ROOT
from tests.support.receivers import until

ADMIN, GUARD = "0x" + "a1" * 20, "0x" + "a2" * 20
CHAIN = "eip155:31337"


class Stage(msgspec.Struct):
    """A token that can be paused by who has the role, on a node that mines by itself."""

    anvil: Anvil
    node: HttpNode
    rpc: Rpc
    wallet: Wallet
    token: Artifact
    contract: str
    role: str

    async def head(self) -> Head:
        """The node's head."""
        block = await self.node.call("eth_getBlockByNumber", ["latest", False])
        return Head(Position(int(block["number"], 16), block["hash"]), int(block["baseFeePerGas"], 16), time.time())

    async def look(self, actuator: Simulated | None = None, **changes: Any) -> Readiness:  # noqa: ANN401 - a target's
        """What is found out at the head."""
        made: dict[str, Any] = {"integration": "vault", "chain": CHAIN, "contract": self.contract, "sender": GUARD}
        target = Target(**(made | {"function": self.token.call("pause")} | changes))
        return await (actuator or Simulated(target, self.rpc, lambda: None)).readiness(await self.head())

    async def admin(self, function: str, *arguments: object) -> None:
        """The admin does something on the token."""
        await self.wallet.do(ADMIN, self.contract, self.token.call(function, *arguments))


def published() -> Artifact:
    """The token preset as OpenZeppelin published it, version 3."""
    path = ROOT / "node_modules" / "openzeppelin-3" / "build" / "contracts" / "ERC20PresetMinterPauser.json"
    raw = msgspec.json.decode(path.read_bytes())
    return Artifact("ERC20PresetMinterPauser", raw["abi"], raw["bytecode"])


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """The admin deployed it and gave the guard the role of pausing."""
    token = published()
    async with await Anvil.start() as anvil, HttpNode(anvil.http) as node:
        rpc = await Rpc.connect(anvil.ws, provider="anvil", chain=CHAIN, max_size=2**20)
        try:
            wallet = Wallet(node)
            for account in (ADMIN, GUARD):
                await wallet.adopt(account, 10)
            contract = await wallet.deploy(ADMIN, token, "Test", "TST")
            role = await wallet.read(contract, token, "PAUSER_ROLE")
            stage = Stage(anvil, node, rpc, wallet, token, contract, role)
            await stage.admin("grantRole", role, GUARD)
            yield stage
        finally:
            await rpc.close()


def failing(found: Readiness) -> dict[str, str]:
    """The checks that fail."""
    return {check.name: check.told for check in found.checks if check.ok is False}


async def test_a_pause_that_would_work_and_everything_that_would_keep_it_from_working() -> None:
    async with staged() as stage:
        found = await stage.look()
        assert (found.ready, found.why) == (True, ""), found
        assert failing(await stage.look(expires_at=time.time() - 1)) == {
            "window": "the window in which the sender may pause has ended"
        }
        assert set(failing(await stage.look(contract="0x" + "99" * 20))) == {"code"}
        await stage.node.call("anvil_setBalance", [GUARD, hex(1000)])
        poor = failing(await stage.look())
        assert set(poor) == {"balance"}
        assert f"{GUARD} has 1000 wei" in poor["balance"]
        await stage.node.call("anvil_setBalance", [GUARD, hex(10**18)])
        await stage.admin("revokeRole", stage.role, GUARD)
        locked = failing(await stage.look())
        assert set(locked) == {"call"}
        assert "must have pauser role to pause" in locked["call"]
        await stage.admin("pause")
        assert (await stage.look()).ready is True, "it is paused already, by somebody else"


async def test_a_balance_is_held_against_the_fee_that_is_forecast() -> None:
    async with staged() as stage:
        target = Target(
            integration="vault", chain=CHAIN, contract=stage.contract, sender=GUARD, function=stage.token.call("pause")
        )
        assert (await Simulated(target, stage.rpc, lambda: 10**9).readiness(await stage.head())).ready is True
        dear = await Simulated(target, stage.rpc, lambda: 10**15).readiness(await stage.head())
        assert set(failing(dear)) == {"balance"}


async def test_an_older_transaction_of_the_sender_that_is_never_mined_stands_in_the_way() -> None:
    async with staged() as stage:
        await stage.node.call("evm_setAutomine", [False])
        await stage.wallet.send(GUARD, ADMIN, value=1)
        target = Target(
            integration="vault", chain=CHAIN, contract=stage.contract, sender=GUARD, function=stage.token.call("pause")
        )
        actuator, head = Simulated(target, stage.rpc, lambda: None), await stage.head()
        found = [
            await actuator.readiness(Head(Position(head.position.height + later, head.position.id), head.base_fee, head.at))
            for later in range(STUCK_AFTER + 1)
        ]
        assert [one.ready for one in found] == [True] * STUCK_AFTER + [False]
        assert "has been waiting" in found[-1].why
        await stage.node.call("evm_mine", [])
        assert (await stage.look(actuator)).ready is True


async def test_a_sender_that_is_said_to_be_a_safe_and_is_none_is_found_out() -> None:
    async with staged() as stage:
        assert failing(await stage.look(safe=True)) == {"safe": f"{GUARD} is no Safe"}


SAFE, EXECUTOR = "0x" + "5a" * 20, "0x" + "ee" * 20
OWNERS = ["0x" + digit * 40 for digit in "123"]


def a_safe(needed: int, owners: list[str]) -> str:
    """Code that answers `getThreshold()` and `getOwners()` as a Safe does, and nothing else."""
    listed = bytes.fromhex(f"{32:064x}{len(owners):064x}" + "".join(owner[2:].rjust(64, "0") for owner in owners))
    which = "5f3560e01c8063e75235b814601b5763a0e67e2b146024575f5ffd"  # by selector, else revert
    threshold = f"5b60{needed:02x}5f5260205ff3"
    every = f"5b61{len(listed):04x}60315f3961{len(listed):04x}5ff3"  # what follows the code, copied out
    return "0x" + which + threshold + every + listed.hex()


async def test_a_safe_needs_owners_enough_to_sign_and_somebody_who_can_pay() -> None:
    async with staged() as stage:
        await stage.node.call("anvil_setCode", [SAFE, a_safe(2, OWNERS)])
        await stage.admin("grantRole", stage.role, SAFE)
        poor = await stage.look(sender=SAFE, safe=True)
        assert set(failing(poor)) == {"balance"}
        assert "the richest of 3 owners has 0 wei" in poor.why
        await stage.node.call("anvil_setBalance", [OWNERS[1], hex(10**18)])
        found = await stage.look(sender=SAFE, safe=True)
        assert (found.ready, {check.name: check.told for check in found.checks}["safe"]) == (True, "2 of its 3 owners must sign")
        assert set(failing(await stage.look(sender=SAFE, safe=True, executor=EXECUTOR))) == {"balance"}
        await stage.node.call("anvil_setBalance", [EXECUTOR, hex(10**18)])
        named = await stage.look(sender=SAFE, safe=True, executor=EXECUTOR)
        assert (named.ready, [check.name for check in named.checks][-1]) == (True, "nonce")
        await stage.node.call("anvil_setCode", [SAFE, a_safe(4, OWNERS)])
        assert failing(await stage.look(sender=SAFE, safe=True)) == {"safe": "4 of its 3 owners must sign"}


async def test_a_node_that_is_gone_leaves_it_unknown_never_ready() -> None:
    async with staged() as stage:
        head = await stage.head()
        target = Target(
            integration="vault", chain=CHAIN, contract=stage.contract, sender=GUARD, function=stage.token.call("pause")
        )
        await stage.rpc.close()
        found = await Simulated(target, stage.rpc, lambda: None).readiness(head)
        assert found.ready is None
        assert found.why


async def test_the_daemon_and_the_doctor_say_that_the_exit_is_locked_once_the_role_is_gone(tmp_path: Path) -> None:
    async with staged() as stage:
        config = settings(tmp_path, stage.anvil.ws, watch=stage.contract, blind_after="60s")
        config["integrations"]["vault"]["pause_target"] = {"contract": stage.contract, "sender": GUARD}
        async with Daemon(tmp_path, config) as daemon:

            async def reads(ready: bool) -> bool:  # noqa: FBT001 - what is waited for
                await stage.node.call("evm_mine", [])
                async with daemon.http.get(f"{daemon.read}/v1/integrations/vault") as answer:
                    found = (await answer.json())["pause_target"]
                return found is not None and found["ready"] is ready

            async def answers() -> bool:
                return await daemon.flag() is not None

            await until(answers)
            await until(lambda: reads(True))  # noqa: FBT003
            await stage.admin("revokeRole", stage.role, GUARD)
            await until(lambda: reads(False))  # noqa: FBT003
            async with daemon.http.get(f"{daemon.read}/metrics") as answer:
                assert 'seawall_pause_ready{integration="vault"} 0.0' in await answer.text()
        (tmp_path / "seawall.yaml").write_text(yaml.safe_dump(config))
        report = await examine(load(tmp_path / "seawall.yaml", {"TOKEN": TOKEN}))
        assert [one["ready"] for one in report["nodes"][0]["pauses"]] == [False]
        assert "the on-chain pause of vault would FAIL" in told(report)
