"""`seawall gas replay` as the scorer runs it: a real process, a line in, a line out."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from detectors.gas.features import DEEP, HORIZONS, Header
from detectors.gas.fitting import LEAST
from detectors.gas.structural import STRUCTURAL_FROM
from monitor.gas.replay import ADOPTED_AFTER
from tests.support.chain_of_fees import headers

CHAIN = headers(2_500)


def told(lines: list[bytes]) -> list[bytes]:
    """Every answer, each read before the next line is written."""
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "gas", "replay"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for line in lines:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            answers.append(process.stdout.readline())
        process.stdin.close()
        assert process.wait(20) == 0
    return answers


def line(header: Header) -> bytes:
    fields = ("number", "timestamp", "base_fee", "gas_used", "gas_limit")
    return json.dumps({field: getattr(header, field) for field in fields}).encode()


@pytest.fixture(scope="module")
def answers() -> list[dict[str, Any]]:
    return [json.loads(answer) for answer in told([line(header) for header in CHAIN])]


def test_the_next_fee_is_exact_in_every_answer(answers: list[dict[str, Any]]) -> None:
    assert [round(answer["f"]["1"][0] * 1e9) for answer in answers[:-1]] == [header.base_fee for header in CHAIN[1:]]


def test_every_horizon_is_answered_from_the_first_line(answers: list[dict[str, Any]]) -> None:
    assert all(set(answer["f"]) == {"1", *map(str, HORIZONS)} for answer in answers)
    assert all(len(answer["f"]["300"]) == 5 and len(answer["cap"]["5"]) == 3 for answer in answers)


def test_each_rung_of_the_ladder_is_adopted_at_its_appointed_header_and_the_last_within_two_thousand(
    answers: list[dict[str, Any]],
) -> None:
    models = [answer["model"] for answer in answers]
    assert models.index("structural") == STRUCTURAL_FROM + DEEP + ADOPTED_AFTER
    assert models.index("linear") <= 2_000
    assert models.index("linear") == LEAST + DEEP + ADOPTED_AFTER
    assert {"1", "2", "5", "25", "50"} <= set(answers[-1]["resv"])
    assert answers[-1]["degraded"] is None


def test_the_same_lines_give_the_same_bytes() -> None:
    lines = [line(header) for header in CHAIN[:2_450]]
    assert told(lines) == told(lines)


@pytest.mark.parametrize(
    "garbage", [b"", b"{}", b"NaN", b'{"number":1,"timestamp":1,"base_fee":NaN,"gas_used":0,"gas_limit":1}', b"\xff\xfe", b"[1]"]
)
def test_a_line_that_is_no_header_is_answered_with_nothing_and_forgotten(garbage: bytes) -> None:
    with_it = told([line(CHAIN[0]), garbage, line(CHAIN[1])])
    assert with_it[1] == b"{}\n"
    assert with_it[2] == told([line(CHAIN[0]), line(CHAIN[1])])[1]
