"""`seawall inspect` as a person runs it: files in, a verdict a transaction out, one line for whatever is wrong."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detectors import discover
from detectors.base import Basis
from monitor.chains.traces import Words, allow_deep
from monitor.chains.traces.interchange import write, write_lines
from monitor.demo.artifacts import ours
from monitor.demo.node import HttpNode
from monitor.demo.wallet import ETHER, Wallet
from monitor.inspect import Line, Verdict, inspect, verdict
from tests.support.bytecode import HASHES, chain
from tests.support.executions import SENDER, address, call, execution, move, pending, sload, sstore
from tests.support.findings import finding

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = ROOT.parent / "shared" / "data" / "blocks"
THIEF, BANK = address("thief"), address("bank")

ROBBERY = execution(
    call(
        THIEF, "attack()",
        call(
            BANK, "withdraw()",
            sload(0x6F, 10 * ETHER),
            call(THIEF, None, call(BANK, "withdraw()", sload(0x6F, 10 * ETHER), call(THIEF, value=10 * ETHER), sstore(0x6F, 0)),
                 value=10 * ETHER),
            sstore(0x6F, 0),
        ),
    )
)  # fmt: skip
QUIET = execution(call(BANK, "deposit()", sload(1, 0), sstore(1, 5), value=5))


def seawall(*arguments: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, the JSON lines, stderr."""
    command = [sys.executable, "-m", "monitor", "inspect", "--json", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def judged(path: Path) -> list[Line]:
    allow_deep()
    return list(inspect(path, Words()))


def put(folder: Path, data: bytes, name: str = "trace.json") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_a_robbery_is_paused_with_its_victim_and_its_numbers(tmp_path: Path) -> None:
    path = put(tmp_path, write_lines([pending(ROBBERY), pending(QUIET)]))
    status, (robbery, quiet), errors = seawall(path)
    assert (status, errors) == (0, "")
    assert set(robbery) == {"source", "tx", "verdict", "findings", "frames", "micros"}
    assert set(robbery["findings"][0]) == {"detector", "kind", "severity", "confidence", "victims", "title", "evidence"}
    assert (robbery["verdict"], quiet["verdict"]) == ("warn", "clear") or robbery["verdict"] == "pause"
    assert robbery["findings"][0]["victims"][0] == BANK
    assert (robbery["source"], robbery["tx"], robbery["frames"]) == (str(path), ROBBERY.tx, 5)
    assert robbery["micros"] > 0


def test_a_sweep_of_most_of_a_token_is_told_from_the_token_s_own_slots(tmp_path: Path) -> None:
    token = address("token")
    books = (sload(1, 1_000), sstore(1, 400), sload(2, 0), sstore(2, 600))
    sweep = execution(call(THIEF, "go()", call(BANK, "sweep()", move(token, BANK, THIEF, 600, *books))))
    path = put(tmp_path, write(sweep))
    for watched, expected in ((None, Verdict.WARN), (frozenset({BANK}), Verdict.PAUSE)):
        (line,) = inspect(path, Words(), watched)
        (drained,) = (found for found in line.findings if found.detector == "drain")
        assert (line.verdict, drained.victims[0], drained.evidence["share"]) == (expected, BANK, 0.6)
    blind = execution(call(THIEF, "go()", call(BANK, "sweep()", move(token, BANK, THIEF, 600))))
    assert not judged(put(tmp_path, write(blind)))[0].findings, "what share 600 is, nobody knows"


def test_a_packed_file_gives_what_the_plain_one_gives(tmp_path: Path) -> None:
    plain, packed = put(tmp_path, write(ROBBERY)), put(tmp_path, gzip.compress(write(ROBBERY)), "trace.json.gz")
    (one,), (other,) = judged(plain), judged(packed)
    assert (one.verdict, one.findings, one.frames) == (other.verdict, other.findings, other.frames)


def test_with_a_watch_list_only_what_is_on_it_may_pause(tmp_path: Path) -> None:
    path = put(tmp_path, write(ROBBERY))
    _, (elsewhere,), _ = seawall(path, "--watch", SENDER)
    assert elsewhere["verdict"] in {"warn", "info", "clear"}
    status, lines, errors = seawall(path, "--watch", "0x12")
    assert (status, lines) == (2, [])
    assert errors.startswith("--watch: not an address")


def deep(levels: int) -> bytes:
    opening = f'{{"type":"CALL","from":"{THIEF}","to":"{BANK}","calls":['.encode()
    return opening * (levels - 1) + f'{{"type":"CALL","from":"{THIEF}","to":"{BANK}"}}'.encode() + b"]}" * (levels - 1)


def deep_ours(levels: int) -> bytes:
    opening = f'{{"type":"CALL","to":"{THIEF}","ctx":"{THIEF}","ok":true,"steps":[{{"op":"call","frame":'.encode()
    heart = f'{{"type":"CALL","to":"{THIEF}","ctx":"{THIEF}","ok":true,"steps":[]}}'.encode()
    return b'{"format":"seawall.execution","version":1,"root":' + opening * (levels - 1) + heart + b"}]}" * (levels - 1) + b"}"


def test_1024_frames_are_judged_and_1100_are_one_line_unjudged(tmp_path: Path) -> None:
    for made in (deep, deep_ours):
        status, (line,), errors = seawall(put(tmp_path, made(1024)))
        assert (status, line["frames"], errors) == (0, 1024, "")
        assert line["verdict"] != "unjudged"
        status, (line,), errors = seawall(put(tmp_path, made(1100)))
        assert (status, line["verdict"], line["findings"], errors) == (1, "unjudged", [], "")
        assert "deep" in line["reason"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello", "not JSON"),
        (b"[" * 100_000, "nested without end"),
        (deep(3)[:-4], "cut short"),
        (gzip.compress(deep(3))[:-12], "not whole gzip"),
        (b"\x1f\x8bnonsense", "gzip"),
        (b'{"a": 1}', "no execution"),
        (b"[]", "empty list"),
        (b'{"type":"CALL","to":5}', "$.to"),
    ],
)
def test_a_file_that_holds_no_execution_is_one_clear_line(tmp_path: Path, data: bytes, says: str) -> None:
    path = put(tmp_path, data)
    status, lines, errors = seawall(path)
    assert (status, lines) == (1, [])
    assert errors.startswith(f"seawall: {path}: ")
    assert says in errors
    assert errors.count("\n") == 1


def test_a_bad_file_does_not_keep_the_others_from_being_judged(tmp_path: Path) -> None:
    status, lines, errors = seawall(tmp_path / "absent.json", put(tmp_path, write(QUIET)))
    assert (status, [line["verdict"] for line in lines]) == (1, ["clear"])
    assert "No such file" in errors


def test_a_cut_trace_is_never_clear(tmp_path: Path) -> None:
    (line,) = judged(put(tmp_path, write(execution(call(BANK, "deposit()"), complete=False))))
    assert line.verdict is Verdict.UNJUDGED


def test_no_file_is_wrong_usage() -> None:
    assert seawall()[0] == 2


def test_only_a_mechanism_pauses() -> None:
    sure = finding(confidence=0.9)
    assert verdict([finding(confidence=0.2), sure]) is Verdict.PAUSE
    assert verdict([finding(confidence=0.9, basis=Basis.STATISTICS)]) is Verdict.WARN
    assert verdict([finding(confidence=0.79)]) is Verdict.WARN
    assert verdict([finding(confidence=0.2)]) is Verdict.INFO
    assert verdict([]) is Verdict.CLEAR


def test_text_from_the_chain_reaches_no_terminal_raw(tmp_path: Path) -> None:
    hostile = json.dumps({"type": "CALL", "from": THIEF, "to": BANK + "\x1b[2Jx"}).encode()
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "inspect", str(put(tmp_path, hostile))], cwd=ROOT, capture_output=True, check=False
    )
    assert b"\x1b" not in done.stdout + done.stderr


async def test_a_real_robbery_on_a_real_node_is_told_from_its_traces_alone(tmp_path: Path) -> None:
    async with chain("--no-mining") as node, HttpNode(node.node.http) as http:
        await http.call("anvil_setAutomine", [True])
        wallet, me = Wallet(http), node.me.lower()
        bank, thief = await wallet.deploy(me, ours("Bank")), await wallet.deploy(me, ours("ReentrancyAttacker"))
        await wallet.do(me, bank, ours("Bank").call("deposit"), value=50 * ETHER)
        tx = await wallet.send(me, thief, ours("ReentrancyAttacker").call("drain", bank, 6), value=5 * ETHER)
        receipt = await wallet.receipt(tx)
        assert receipt["status"] == "0x1"
        block = await node.ask("eth_getBlockByNumber", receipt["blockNumber"], HASHES)
        tracer = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
        bare = await node.ask("debug_traceTransaction", tx, tracer)
        whole = await node.ask("debug_traceBlockByHash", block["hash"], tracer)
        rows = await node.ask("trace_block", receipt["blockNumber"])
        dialects = {
            "bare": bare, "envelope": {"jsonrpc": "2.0", "id": 1, "result": bare}, "list": whole, "rows": rows,
            "transaction": await node.ask("trace_transaction", tx), "file": {"traces": rows, "receipts": [receipt]},
        }  # fmt: skip
        for name, document in dialects.items():
            (line,) = judged(put(tmp_path, json.dumps(document).encode(), f"{name}.json"))
            assert line.verdict in {Verdict.WARN, Verdict.PAUSE}, (name, line)
            assert any(bank in found.victims for found in line.findings), (name, line)
            assert line.frames == len([row for row in rows if row["type"] != "reward"])
            assert line.tx == (tx if name in {"list", "rows", "transaction", "file"} else None)


@pytest.mark.skipif(not BLOCKS.is_dir(), reason="shared/data/blocks is not here: real benign blocks are not judged")
def test_real_benign_blocks_pause_nothing() -> None:
    allow_deep()
    words, classes = Words(), list(discover().values())
    lines = [line for path in sorted(BLOCKS.glob("*.json.gz")) for line in inspect(path, words, None, classes)]
    assert len(lines) == 2_841
    counts = {v: sum(line.verdict is v for line in lines) for v in Verdict}
    assert counts[Verdict.PAUSE] == counts[Verdict.UNJUDGED] == 0
    assert counts[Verdict.WARN] <= len(lines) / 1000


def test_a_device_without_end_is_refused_like_any_other_large_file() -> None:
    code, lines, told = seawall("/dev/zero")
    assert (code, lines) == (1, [])
    assert told == "seawall: /dev/zero: more than 1,073,741,824 bytes\n"
