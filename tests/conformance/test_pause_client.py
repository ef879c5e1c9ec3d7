"""The client people copy: every row of the language-neutral table, and real daemons' doors that lie, hang, die and come back."""

import asyncio
import importlib.util
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from monitor.api.documents import Documents
from monitor.api.server import Listener, read_app
from monitor.api.signing import Signer
from monitor.api.views import Sources
from monitor.breaker.flags import FlagBoard, Spec
from tests.support.findings import CHAIN, position
from tests.support.parts import ROOT

TABLE = json.loads((ROOT / "examples" / "pause_client.cases.json").read_text())
SEED, OTHER = "11" * 32, "22" * 32


def client() -> ModuleType:
    """The file as somebody who copied it would import it."""
    spec = importlib.util.spec_from_file_location("pause_client", ROOT / "examples" / "pause_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLIENT = client()


def headers(answer: Mapping[str, Any]) -> dict[str, str]:
    """As a daemon sends them, and as a proxy may hand them on."""
    sent = {
        "ETag": f'"{answer["tag"]}"', "X-Flags-Valid-For": str(answer["valid_for"]), "X-Flags-Epoch": str(answer["epoch"]),
        "X-Flags-As-Of": "0.000",
    }  # fmt: skip
    changes: dict[str, Callable[[str], str]] = {"": str, "lower": str.lower, "upper": str.upper}
    on_the_way = changes[answer.get("header_names", "")]
    return {on_the_way(name): value for name, value in sent.items()}


def body(answer: Mapping[str, Any]) -> bytes:
    """As a daemon sends it."""
    if "garbage" in answer:
        return str(answer["garbage"]).encode()
    flags = [
        {"integration": name, "state": state, "epoch": answer["epoch"], "revision": revision}
        for name, (state, revision) in answer.get("flags", {}).items()
    ]
    return json.dumps({"flags": flags, "epoch": answer["epoch"], "version": answer["tag"]}).encode()


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_every_row_of_the_table(case: Mapping[str, Any]) -> None:
    flags = CLIENT.PauseFlags([f"http://daemon-{number}" for number in range(case["sources"])])
    for step in case["steps"]:
        if "answer" in step:
            answer = step["answer"]
            content = body(answer) if answer["status"] == 200 else b""
            flags.take(flags.sources[step["source"]], answer["status"], headers(answer), content, step["at"])
        else:
            assert {name: flags.state(name, step["at"]) for name in step["expect"]} == step["expect"]


def test_it_is_short_enough_to_be_read_before_it_is_trusted() -> None:
    assert len(Path(CLIENT.__file__ or "").read_text().splitlines()) <= 120


class Door:
    """A daemon's read listener over a board of its own."""

    def __init__(self, seed: str | None = SEED) -> None:
        self.board = FlagBoard([Spec(integration="bank", chain=CHAIN, blind_after=60.0)], epoch=1, valid_for=0.6)
        self.board.beat()
        self.board.saw_head(CHAIN, position(10), time.time())
        sources = Sources(breakers=dict, made=tuple, chains=dict, contracts={})
        fine = lambda: {"ok": True}  # noqa: E731 - a fact
        signer = Signer(seed) if seed else None
        self.listener = Listener(
            "read",
            read_app(self.board, healthy=fine, ready=fine, sources=sources, documents=Documents(self.board, signer)),
            "127.0.0.1:0",
        )


async def asked(flags: Any) -> str:  # noqa: ANN401 - the copied client
    """Ask every daemon once; what is concluded."""
    await asyncio.gather(*(asyncio.to_thread(flags.ask, source) for source in flags.sources))
    return str(flags.state("bank"))


async def test_two_daemons_are_high_availability_without_a_cluster() -> None:
    one, two = Door(), Door()
    await one.listener.start()
    await two.listener.start()
    flags = CLIENT.PauseFlags([one.listener.url, two.listener.url], key=Signer(SEED).public.hex(), timeout=0.5)
    assert await asked(flags) == "run"
    two.board.pause_now("bank", "seen by one of us")
    assert await asked(flags) == "pause"
    await two.listener.stop()
    await asyncio.sleep(0.7)
    assert await asked(flags) == "run", "its pause has run out, the other daemon is fresh and says run"
    one.board.blind_now(CHAIN, "drill")
    assert await asked(flags) == "unknown"
    assert not flags.may_use("bank")
    await one.listener.stop()


@pytest.mark.parametrize("seed", [None, OTHER])
async def test_an_answer_that_is_not_signed_with_our_key_is_no_answer(seed: str | None) -> None:
    door = Door(seed)
    await door.listener.start()
    flags = CLIENT.PauseFlags([door.listener.url], key=Signer(SEED).public.hex())
    assert await asked(flags) == "unknown"
    assert flags.sources[0].trouble
    await door.listener.stop()


async def test_a_relay_can_neither_change_an_answer_nor_play_an_old_one_again() -> None:
    door = Door()
    await door.listener.start()
    key = Signer(SEED).public.hex()
    flags = CLIENT.PauseFlags([door.listener.url], key=key)
    kept: list[tuple[Any, ...]] = []
    honest = flags.take

    def relay(*answer: Any) -> None:  # noqa: ANN401 - whatever passes is written down
        kept.append(answer[1:4])
        honest(*answer)

    flags.take = relay
    door.board.pause_now("bank", "drill")
    assert await asked(flags) == "pause"
    status, seen, content = kept[0]
    lowered = CLIENT.PauseFlags([door.listener.url], key=key)
    lowered.take(lowered.sources[0], status, {name.lower(): value for name, value in seen.items()}, content, 0.0)
    assert lowered.state("bank", 0.1) == "pause", "a relay may write the names of headers as it likes"
    for changed in (content.replace(b'"pause"', b'"run"'), content.replace(b'"revision":0', b'"revision":9')):
        other = CLIENT.PauseFlags([door.listener.url], key=key)
        other.take(other.sources[0], status, seen, changed, 0.0)
        assert other.state("bank", 0.1) == "unknown"
    later = CLIENT.PauseFlags([door.listener.url], key=key)
    later.take(later.sources[0], status, seen, content, 0.0, wall=time.time() + 60)
    assert later.state("bank", 0.1) == "unknown"
    await door.listener.stop()


def test_a_read_costs_nothing_worth_skipping() -> None:
    flags = CLIENT.PauseFlags(["http://a", "http://b"])
    for source in flags.sources:
        source.until, source.flags = float("inf"), {"bank": "run"}
    begun = time.perf_counter()
    for _ in range(20_000):
        flags.may_use("bank")
    ours = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(20_000):
        json.loads('{"bank":"run"}')
    assert ours < 4 * (time.perf_counter() - begun), "reading is a handful of look-ups, whatever the machine"
