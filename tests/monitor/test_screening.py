"""Screening by a running daemon: a list is in force from the start, changes while we run, outlives mistakes, and replays."""

from pathlib import Path
from typing import Any

from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from monitor.screening import Screening
from tests.monitor.cli.conftest import ended
from tests.support.daemon import TOKEN, VAULT, Daemon, settings

ONE, TWO = "0x" + "ab" * 20, "0x" + "cd" * 20
CHAIN = "eip155:31337"


async def changes(screening: Screening) -> list[tuple[str, list[str]]]:
    """What one look brings."""
    return [(name, [party.address for one in screening.greet(CHAIN) for party in one.parties]) for name in await screening.look()]


async def test_a_list_counts_as_its_file_says_and_a_mistake_leaves_it_in_force(tmp_path: Path) -> None:
    file = tmp_path / "ofac.csv"
    screening = Screening({"ofac": file}, [CHAIN])
    assert await changes(screening) == []
    assert "cannot be read" in screening.troubles["ofac"]
    file.write_text(f"address\n{ONE}\n")
    assert await changes(screening) == [("ofac", [ONE])]
    assert (await changes(screening), screening.troubles) == ([], {})
    file.write_text(f"address\n{TWO}\n0xnot\n")
    assert await changes(screening) == [("ofac", [TWO])]
    assert "line 3" in screening.troubles["ofac"]
    for mistake in (lambda: file.write_text(""), lambda: file.write_bytes(b"\xff\xfe"), file.unlink):
        mistake()
        assert await changes(screening) == []
        assert "ofac" in screening.troubles
        assert [party.address for party in screening.greet(CHAIN)[0].parties] == [TWO]
    file.write_text(f"address\n{TWO}\n")
    assert await changes(screening) == [], "it says what it said"
    assert screening.troubles == {}


async def test_only_what_counts_on_a_chain_is_told_to_it(tmp_path: Path) -> None:
    (tmp_path / "eu.jsonl").write_text(
        f'{{"address": "{ONE}", "chain": "{CHAIN}"}}\n{{"address": "{TWO}", "chain": "eip155:1"}}\n'
    )
    screening = Screening({"eu": tmp_path / "eu.jsonl"}, [CHAIN, "eip155:1"])
    assert await screening.look() == ["eu"]
    told = [one for chain in screening.chains for one in screening.greet(chain)]
    assert [[party.address for party in one.parties] for one in told] == [[ONE], [TWO]]
    assert len({one.version for one in told}) == 1


async def test_a_running_daemon_knows_the_new_list_and_the_tape_says_which_it_was(tmp_path: Path) -> None:
    async with await Anvil.start("--block-time", "1") as anvil, HttpNode(anvil.http) as node:
        first, second = (await node.call("eth_accounts", []))[:2]
        file, tape = tmp_path / "ofac.csv", tmp_path / "day.tape.gz"
        file.write_text(f"address\n{first}\n")
        config: dict[str, Any] = settings(tmp_path, anvil.ws, blind_after="30s")
        config["sanctions"] = {"lists": [{"name": "ofac", "file": "ofac.csv"}]}
        config["detectors"] = {"sanctions": {"action": "pause"}}

        async def pay(sender: str) -> str:
            return str(await node.call("eth_sendTransaction", [{"from": sender, "to": VAULT, "value": "0x5"}]))

        async with Daemon(tmp_path, config, "--tape", str(tape)) as daemon:
            await daemon.until("run")
            file.write_text(f"address\n{second}\n")
            await daemon.metric("seawall_events_total", 'kind="PartyList"', least=2)
            tx = await pay(second)
            flag = await daemon.until("pause", because="is on the list ofac", recorded=True)
            assert second in flag["reason"]
            (hold, *_) = await daemon.holds()
            assert hold["tx"] == tx
            await daemon.stop()
        told = await ended("replay", str(tape), "-c", str(tmp_path / "seawall.yaml"), "--json", TOKEN=TOKEN)
        assert told.code == 0, told.err
        assert '"identical": true' in told.out
        assert '"kind":"sanctioned_party"' in told.out
