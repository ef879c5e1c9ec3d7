"""`seawall init`: what it writes passes `check` and says what it saw; what it cannot do it says in a line, and exits 2."""

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor.cli import app
from monitor.config import Config, load, parse
from monitor.demo.anvil import Anvil, free_port
from monitor.errors import ConfigError
from tests.monitor.cli.conftest import Ended, ended
from tests.support.parts import need
from tests.support.street import Street, street, that_answers_everything, upgradeable, v3_pool

NOBODY = "0x" + "77" * 20
KNOWN = "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"


class Drafted(NamedTuple):
    """A draft of everything in the street, and how it was taken by those who read it."""

    here: Street
    output: Path
    facts: Mapping[str, Any]
    checked: Ended
    examined: Ended

    @property
    def text(self) -> str:
        return self.output.read_text()

    @property
    def config(self) -> Config:
        return load(self.output)


async def _draft(folder: Path) -> Drafted:
    async with street() as here:
        market, output, listed = here.market, folder / "seawall.yaml", folder / "list.txt"
        (transparent, _), pool = await upgradeable(here, here.vault), await v3_pool(here)
        talker = await that_answers_everything(here)
        listed.write_text(f"# what we use\n{pool}\n{transparent} # the new vault\n{talker}\n{NOBODY}\n")
        told = await ended(
            "init", f"dex={market.pair}", here.vault, market.dollar, "--file", str(listed), "--node", here.chain.node.ws,
            "--chain", "eip155:31337", "--output", str(output), "--json",
        )  # fmt: skip
        assert told.code == 0, told.err
        checked, examined = await asyncio.gather(
            ended("check", str(output), "--json"), ended("doctor", "-c", str(output), "--json")
        )
        return Drafted(here, output, told.json, checked, examined)


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> Drafted:
    return asyncio.run(_draft(tmp_path_factory.mktemp("init")))


def test_a_draft_of_real_contracts_passes_the_check_and_the_doctor(drafted: Drafted) -> None:
    assert (drafted.checked.code, drafted.checked.json["ok"], drafted.checked.json["integrations"]) == (0, True, 6)
    assert (drafted.examined.code, drafted.examined.json["ok"]) == (0, True), drafted.examined.err
    kinds = {name: str(one.contracts[0].kind) for name, one in drafted.config.integrations.items()}
    assert kinds["dex"] == "uniswap_v2"
    assert sorted(kinds.values()) == ["erc4626", "erc4626", "holdings", "holdings", "uniswap_v2", "uniswap_v3"]
    market = drafted.here.market
    assert set(drafted.config.integrations["dex"].contracts[0].assets) == {market.weth, market.dollar}
    assert {one.mode for one in drafted.config.integrations.values()} == {"shadow"}


def test_a_draft_says_what_was_seen_and_what_was_left_out(drafted: Drafted) -> None:
    said = ("a proxy: EIP-1967", "may exchange it at any time", f"left out: {NOBODY}", "knows it", "calls itself 'WETH'")
    assert [one for one in said if one not in drafted.text] == []
    assert [one["address"] for one in drafted.facts["left_out"]] == [NOBODY]


def test_words_from_the_chain_neither_leave_their_comment_nor_move_a_cursor(drafted: Drafted) -> None:
    spoken = [line for line in drafted.text.splitlines() if "evil" in line]
    assert spoken
    assert [line for line in spoken if not line.lstrip().startswith(("#", "token-x-evil-chain-31m-"))] == []
    assert all(letter == "\n" or letter.isprintable() for letter in drafted.text)


def test_suggestions_hold_once_they_are_uncommented(drafted: Drafted) -> None:
    lines = drafted.text.splitlines()
    first, last = lines.index("# trusted:"), lines.index("alerts:")
    taken = [line.removeprefix("# ") for line in lines[first:last] if not line.startswith(("# Who", "# Prices"))]
    config = parse("\n".join([*lines[:first], *taken, *lines[last:]]) + "\n", str(drafted.output), {})
    market = drafted.here.market
    assert set(config.trusted["local"]) >= {market.weth, market.dollar}
    assert {price.pool for price in config.prices["local"]} == {market.pair}
    assert len(config.detectors["privileges"]["owners"]) == 1


async def inside(*arguments: str) -> None:
    """The command in this process. Raises ConfigError, which is a line each and exit code 2."""
    await asyncio.to_thread(app, ["init", *arguments], standalone_mode=False)


async def test_a_file_that_is_there_is_kept_unless_it_is_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "seawall.yaml"
    output.write_text("mine\n")
    async with street() as here:
        monkeypatch.setenv("MY_NODE", here.chain.node.ws)
        arguments = (here.vault, "--node", "${MY_NODE}", "--output", str(output))
        with pytest.raises(ConfigError, match="--force"):
            await inside(*arguments)
        assert output.read_text() == "mine\n"
        await inside(*arguments, "--force")
        assert f"seawall run -c {output}" in capsys.readouterr().out
        await inside(here.market.pair, "--node", here.chain.node.ws, "-o", "-")
        printed = capsys.readouterr().out
    assert '"${MY_NODE}"' in output.read_text()
    assert load(output, {"MY_NODE": here.chain.node.ws}).integrations.keys() == {f"erc4626-sv-{here.vault[2:8]}"}
    assert printed.startswith("# Seawall's configuration")
    assert json.dumps(here.chain.node.ws) in printed


@asynccontextmanager
async def elsewhere(port: int) -> AsyncIterator[int]:
    """The node at another address of this machine, one that is not taken for a node without a key; its port there."""

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(hand_on(reader, theirs[1]), hand_on(theirs[0], writer))

    server = await asyncio.start_server(pass_on, "127.0.0.2", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_node_whose_url_carries_a_key_is_named_by_a_variable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "seawall.yaml"
    async with street() as here, elsewhere(here.chain.node.port) as port:
        url = f"ws://127.0.0.2:{port}/?apikey=very-secret"
        await inside(here.vault, "--node", url, "-o", str(output))
    told = capsys.readouterr()
    assert "very-secret" not in told.out + told.err + output.read_text()
    assert '"${LOCAL_WS}"' in output.read_text()
    assert "Set LOCAL_WS before you go on" in told.err
    assert load(output, {"LOCAL_WS": url}).chains["local"].nodes[0].ws.reveal() == url


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0x1234"], "not an address"),
        (["0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9dc"], "checksum"),
        ([f"Bad Name={KNOWN}"], "not a name"),
        ([f"a.paused={KNOWN}"], "not a name"),
        ([f"a={KNOWN}", f"b={KNOWN}"], "twice"),
        ([KNOWN, "--node", "http://127.0.0.1:1"], "ws(s)://"),
        ([KNOWN, "--chain", "mainnet"], "not a chain id"),
        ([KNOWN, "--output", "nowhere/seawall.yaml"], "its folder does not exist"),
        ([KNOWN, "--file", "no-such-list.txt"], "cannot be read"),
        ([KNOWN, "--node", "${NO_SUCH_NODE}"], "is not set"),
        ([KNOWN, "--node", "ws://127.0.0.1:1/v2/secret-key"], "is the node up"),
        ([], "nobody is there to be asked"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_mistake_is_a_line_that_says_what_to_do(tmp_path: Path, arguments: list[str], said: str) -> None:
    given = ["--node", f"ws://127.0.0.1:{free_port()}", "--output", str(tmp_path / "seawall.yaml")]
    with pytest.raises(ConfigError) as caught:
        app(["init", *given, *arguments], standalone_mode=False)
    (line,) = caught.value.problems
    assert said in line
    assert "secret-key" not in line
    assert list(tmp_path.iterdir()) == []


async def test_a_node_of_another_chain_or_without_the_contract_is_said(tmp_path: Path) -> None:
    output = str(tmp_path / "seawall.yaml")
    async with await Anvil.start() as node:
        with pytest.raises(ConfigError, match="serves chain eip155:31337, asked for is eip155:1"):
            await inside(KNOWN, "--node", node.ws, "--chain", "eip155:1", "-o", output)
        with pytest.raises(ConfigError, match="no contract at this address on eip155:31337"):
            await inside(KNOWN, "--node", node.ws, "-o", output)
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


def test_a_person_at_a_terminal_is_asked_for_what_is_missing(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [need("seawall"), "init", "-o", str(tmp_path / "seawall.yaml")], stdin=theirs, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        os.write(ours, f"ws://127.0.0.1:{free_port()}\n{KNOWN} {NOBODY}\n".encode())
        told, error = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert "The node's WebSocket URL" in told
    assert "Addresses to watch" in told
    assert (process.returncode, "is the node up" in error) == (2, True)
