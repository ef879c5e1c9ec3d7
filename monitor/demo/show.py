"""The show: a local chain, real protocols, honest traffic, the daemon, and attacks that end at a pause before their block."""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from monitor.demo.anvil import Anvil
from monitor.demo.attacks import held, launch, loss
from monitor.demo.daemon import Daemon, configuration, ports
from monitor.demo.measure import Yardstick
from monitor.demo.miner import Miner
from monitor.demo.narrator import Narrator
from monitor.demo.node import HttpNode
from monitor.demo.observer import Observer
from monitor.demo.pager import Pager
from monitor.demo.relay import Relay
from monitor.demo.report import Outcome, Private, latencies
from monitor.demo.scenery import ALL_PUBLIC_ATTACKS, PUBLIC_ATTACKS, Attack, Stage
from monitor.demo.staging import node_options, stage
from monitor.demo.traffic import Traffic
from monitor.demo.treasury import Treasury
from monitor.demo.wallet import Wallet

_SETTLE = 6.0
"""Seconds of honest traffic before the first attack, and the patience with each pause."""

_LATEST_IN_SLOT = 0.9
"""Attacks of a long run are sent no later than so many seconds into a slot, so that each has a good part of one before it."""


class Show:
    """One performance. `attacks` public attacks (kinds in turn, a fresh integration each), then the private one."""

    def __init__(self, *, attacks: int = 2, detecting: bool = True, port: int | None = None, machine: bool = False) -> None:
        self.attacks = attacks
        self.detecting = detecting
        self.port = port
        self.machine = machine
        self.narrator = Narrator(machine=machine)
        self.outcomes: list[Outcome] = []
        self.private: Private | None = None

    async def perform(self, *, once: bool) -> dict[str, Any] | None:
        """Run the show. With `once` the report is returned when it is over; else it goes on until cancelled."""
        async with contextlib.AsyncExitStack() as house:
            folder = Path(house.enter_context(tempfile.TemporaryDirectory(prefix="seawall-demo-", ignore_cleanup_errors=True)))
            scene = await self._raise_curtain(house, folder)
            await self._play(scene)
            report = await self._report(scene)
            if once:
                return report
            self._print(report)
            self.narrator.say(f"The show goes on at [bold]{scene.observer.url}[/bold]; press Ctrl-C to end it.")
            await asyncio.Event().wait()
        return None

    async def _raise_curtain(self, house: contextlib.AsyncExitStack, folder: Path) -> "Scene":
        """Start everything: node, protocols, miner, daemon, traffic, observer."""
        say, now = self.narrator.say, time.time()
        with self.narrator.progress() as progress:
            task = progress.add_task("starting a local Ethereum node")
            anvil = await house.enter_async_context(await Anvil.start(*node_options(now)))
            node = await house.enter_async_context(HttpNode(anvil.http))
            progress.update(task, description=f"deploying Uniswap V2 and {self.attacks + 1} integrations, attackers included")
            kinds = PUBLIC_ATTACKS if self.attacks <= len(PUBLIC_ATTACKS) else ALL_PUBLIC_ATTACKS
            staged = await stage(node, now, count=self.attacks, kinds=kinds)
            miner = Miner(node)
            await miner.start()
            progress.update(task, description="starting the daemon")
            relay = await house.enter_async_context(Relay(anvil.port))
            pager = await house.enter_async_context(Pager(self._alerted))
            listen = ports(self.port)
            config = configuration(staged, relay.ws, pager.url, listen, folder, detecting=self.detecting)
            daemon = await Daemon.start(config, listen, folder, pager.secret)
            house.push_async_callback(daemon.stop)
        observer = await house.enter_async_context(Observer(relay.ws, daemon.url).watch())
        await observer.read_flags()
        if self.machine:
            first = {"url": daemon.url, "admin_url": daemon.admin_url, "token": daemon.token, "flags": sorted(observer.flags)}
            sys.stdout.write(json.dumps(first) + "\n")
            sys.stdout.flush()
        say(
            f"Uniswap V2 and {len(staged.integrations)} integrations, a block every {miner.slot} s. "
            f"The page: [bold]{daemon.url}[/bold]"
        )
        wallet = Wallet(node)
        traffic = Traffic(wallet, staged, may_use=lambda name: observer.flags.get(name, {}).get("state") == "run")
        curtain = asyncio.Event()
        playing = asyncio.create_task(traffic.run(curtain), name="traffic")
        house.push_async_callback(_end, curtain, playing)
        return Scene(
            stage=staged,
            node=node,
            wallet=wallet,
            miner=miner,
            relay=relay,
            observer=observer,
            pager=pager,
            traffic=traffic,
            daemon=daemon,
        )

    async def _play(self, scene: "Scene") -> None:
        self.narrator.say("honest traffic: swaps, flash swaps, liquidity, deposits, withdrawals, loans")
        await asyncio.sleep(_SETTLE)
        public = [attack for attack in scene.stage.attacks if not attack.private]
        slot_began = 0.0
        for attack in public:
            if len(public) <= len(PUBLIC_ATTACKS) or time.monotonic() - slot_began > _LATEST_IN_SLOT:
                await scene.miner.next_slot()
                slot_began = time.monotonic()
            self.outcomes.append(await self._attack(scene, attack, wait=len(public) <= len(PUBLIC_ATTACKS)))
        for outcome, attack in zip(self.outcomes, public, strict=True):
            await self._aftermath(scene, outcome, attack)
        for attack in scene.stage.attacks:
            if attack.private:
                self.private = await self._private(scene, attack)

    async def _attack(self, scene: "Scene", attack: Attack, *, wait: bool) -> Outcome:
        """Send one attack early in a slot; note when it was seen, when the flag read pause, when it was mined."""
        observer = scene.observer
        scene.before[attack.integration] = await held(attack, scene.wallet)
        trace_ms = await Yardstick(scene.relay.ws, ordered=attack.ordered).trace(attack)
        flag_get_ms = await observer.read_flag(attack.integration)
        sent_at = time.time()
        tx = await launch(attack, scene.wallet)
        outcome = Outcome(name=attack.name, integration=attack.integration, attack_tx=tx, ordered=attack.ordered, sent_at=sent_at)
        self.narrator.pending(attack.name, attack.integration, tx)
        patience = _SETTLE if self.detecting else 0.05
        outcome.flag_paused_at = await observer.until_paused(attack.integration, patience)
        outcome.pending_seen_at = observer.pending_at.get(tx)
        outcome.trace_ms, outcome.flag_get_ms = trace_ms, flag_get_ms
        outcome.settle()
        if wait and outcome.flag_paused_at is not None:
            outcome.finding = await scene.finding(tx)
        if outcome.flag_paused_at is not None:
            self.narrator.paused(outcome)
        if wait:
            await self._aftermath(scene, outcome, attack)
        return outcome

    async def _aftermath(self, scene: "Scene", outcome: Outcome, attack: Attack) -> None:
        """Wait for the block and see what is gone."""
        if outcome.mined_at is not None:
            return
        outcome.mined_at = await scene.observer.until_mined(outcome.attack_tx, 5 * scene.miner.slot)
        outcome.settle()
        outcome.gone_share = round((await loss(attack, scene.wallet, scene.before[attack.integration])).share, 4)
        self.narrator.mined(outcome)

    async def _private(self, scene: "Scene", attack: Attack) -> Private:
        """The attack through private flow: one transaction a block, none announced; the treasury runs when the flag says so."""
        observer = scene.observer
        treasury = Treasury(scene.wallet, scene.stage, attack.integration)
        await treasury.begin()
        self.narrator.say(
            f"[yellow]private[/yellow]  {attack.name} on {attack.integration}: "
            f"{attack.transactions} transactions past the public pool"
        )
        told = Private(name=attack.name, integration=attack.integration, attack_txs=[], seen_pending=0)
        rescue: str | None = None
        for number in range(1, attack.transactions + 1):
            await scene.miner.next_slot()
            tx = await launch(attack, scene.wallet, scene.relay)
            told.attack_txs.append(tx)
            mined = await observer.until_mined(tx, 5 * scene.miner.slot)
            self.narrator.say(
                f"[blue]block[/blue]    with private transaction {number} of {attack.transactions}, never seen pending"
            )
            if rescue is None:
                paused = await observer.until_paused(attack.integration, 1.8 if self.detecting else 0.01)
                told.block_seen_at = told.block_seen_at or mined
                if paused is not None and mined is not None:
                    rescue = await treasury.rescue()
                    told.flag_paused_at, told.paused_after_transactions = paused, number
                    told.block_to_flag_ms = round((paused - mined) * 1e3, 3)
        told.saved_share = round(await treasury.saved_share(rescue), 4)
        told.saved_share_without = round(await treasury.saved_share(None), 4) if rescue is None else None
        told.seen_pending = sum(tx in observer.pending_at for tx in told.attack_txs)
        self.narrator.rescued(told)
        return told

    async def _report(self, scene: "Scene") -> dict[str, Any]:
        incidents = await scene.incidents()
        planted = {outcome.attack_tx for outcome in self.outcomes} | set(self.private.attack_txs if self.private else ())
        opened = [i for i in incidents if i["after"] == "open" and i["before"] != "open"]
        false = [i for i in opened if not {finding["tx"] for finding in i["findings"]} & planted]
        reverted = await scene.traffic.reverted()
        return {
            "attacks": [msgspec.to_builtins(outcome) for outcome in self.outcomes],
            "private": msgspec.to_builtins(self.private),
            "detectors": self.detecting,
            "alerts": len(scene.pager.told),
            "alerts_by_type": dict(Counter(str(body.get("type")) for body in scene.pager.told.values())),
            "alerts_refused": scene.pager.refused,
            "false_pauses": len(false),
            "false_pause_reasons": [i["reason"] for i in false],
            "blind_seconds": round(scene.observer.blind_seconds, 3),
            "latency": latencies(self.outcomes),
            "honest_transactions": len(scene.traffic.sent),
            "honest_by_kind": dict(Counter(scene.traffic.sent.values())),
            "honest_reverted": len(reverted),
        }

    def _alerted(self, body: dict[str, Any]) -> None:
        if self.attacks <= len(PUBLIC_ATTACKS):
            self.narrator.alert(body)

    def _print(self, report: dict[str, Any]) -> None:
        if self.machine:
            sys.stdout.write(json.dumps(report) + "\n")
            sys.stdout.flush()


class Scene(msgspec.Struct, kw_only=True):
    """Everything on stage while the show runs. `before` is what each victim held when its attack was sent."""

    stage: Stage
    node: HttpNode
    wallet: Wallet
    miner: Miner
    relay: Relay
    observer: Observer
    pager: Pager
    traffic: Traffic
    daemon: Daemon
    before: dict[str, int] = {}

    async def incidents(self) -> list[dict[str, Any]]:
        """Every decision of the daemon, newest first, as it tells anyone who asks."""
        async with self.observer.http.get(f"{self.observer.url}/v1/incidents") as answer:
            return list((await answer.json())["incidents"])

    async def finding(self, tx: str) -> dict[str, Any] | None:
        """The strongest finding about a transaction, once the journal has it: a pause is shown a moment before."""
        for _ in range(20):
            found = [f for incident in await self.incidents() for f in incident["findings"] if f["tx"] == tx]
            if found:
                return dict(max(found, key=lambda finding: finding["confidence"]))
            await asyncio.sleep(0.05)
        return None


async def _end(curtain: asyncio.Event, playing: "asyncio.Task[None]") -> None:
    curtain.set()
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await playing
