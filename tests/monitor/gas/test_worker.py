"""The process that fits: rows over the pipe, a model back, and what happens when it cannot or is no more."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detectors.gas.features import DEEP, WIDTH, Clock, Features
from detectors.gas.fitting import LEAST, fit
from detectors.gas.structural import STRUCTURAL_FROM
from monitor.gas.memory import Memory
from monitor.gas.worker import FitFailed, Past, Worker
from tests.support.chain_of_fees import headers

CHAIN = headers(LEAST + DEEP + 40)


THREADS = os.environ.get("OPENBLAS_NUM_THREADS")
"""What numpy was loaded with here."""


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """Sums differ in their last bits with the number of threads, and a daemon in another test may have set it since."""
    if THREADS is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with Worker() as started:
        yield started


def feed(worker: Worker, count: int) -> tuple[np.ndarray, np.ndarray]:
    features, vectors, x = Features(), [], []
    for header in CHAIN[:count]:
        vectors.append(features.observe(header).astype(np.float32))
        x.append(features.x)
        worker.add(header, features.vector, features.x)
    return np.stack(vectors), np.array(x)


def test_the_model_is_the_one_a_fit_at_home_would_give_on_what_cannot_be_reverted(worker: Worker) -> None:
    vectors, x = feed(worker, len(CHAIN))
    worker.ask()
    model = worker.take()
    settled = len(CHAIN) - DEEP
    at_home = fit(vectors[:settled], x[:settled], CHAIN[0].number, CHAIN[settled - 1].number)
    assert (model.first, model.last) == (CHAIN[0].number, CHAIN[settled - 1].number)
    assert (model.linear.beta == at_home.linear.beta).all()


def test_headers_kept_by_an_earlier_life_are_learned_from_as_if_there_had_been_no_restart(tmp_path: Path) -> None:
    memory, half = Memory(tmp_path / "chain.headers"), 1_200
    with Worker(past=Past(memory, Clock(), CHAIN[0])) as before:
        assert before.remembered() == 0
        feed(before, half)
    features = Features()
    rows = [(header, features.observe(header).astype(np.float32), features.x) for header in CHAIN]
    with Worker(past=Past(memory, Clock(), CHAIN[half - DEEP - 100])) as again:
        assert again.remembered() == half - DEEP - 100, "what the next life hands over anew is not there twice"
        for row in rows[half - DEEP - 100 :]:
            again.add(*row)
        again.ask()
        model = again.take()
    settled = len(CHAIN) - DEEP
    at_home = fit(np.stack([row[1] for row in rows[:settled]]), np.array([row[2] for row in rows[:settled]]), 0, 0)
    assert (model.first, model.last) == (CHAIN[0].number, CHAIN[settled - 1].number)
    assert model.linear.beta == pytest.approx(at_home.linear.beta, abs=1e-6)
    assert memory.read() == CHAIN[:settled]


@pytest.mark.parametrize("odd", [{"base_fee": 31}, {"number": CHAIN[1_100].number}], ids=["another branch", "a hole"])
def test_kept_headers_that_do_not_lead_to_the_first_row_are_another_history(tmp_path: Path, odd: dict[str, int]) -> None:
    memory = Memory(tmp_path / "chain.headers")
    memory.append(CHAIN[:1_000])
    with Worker(past=Past(memory, Clock(), msgspec.structs.replace(CHAIN[1_000], **odd))) as worker:
        assert worker.remembered() == 0
    assert memory.read() == []


def test_a_disk_that_takes_nothing_ends_the_memory_and_not_the_fits(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with Worker(past=Past(Memory(tmp_path / "taken" / "chain.headers"), Clock(), CHAIN[0])) as worker:
        assert worker.remembered() == 0
        feed(worker, LEAST + DEEP)
        worker.ask()
        assert worker.take().last == CHAIN[LEAST - 1].number
        assert "taken" in (worker.trouble or "")


def test_a_reverted_header_is_never_learned_from(worker: Worker) -> None:
    feed(worker, LEAST + DEEP)
    other = headers(DEEP, seed=5, first=CHAIN[LEAST].number)
    features = Features()
    for header in [*CHAIN[:LEAST], *other]:
        vector = features.observe(header)
        if header.number >= other[0].number:
            worker.add(header, vector, features.x)
    worker.ask()
    assert worker.take().last == CHAIN[LEAST - 1].number


def test_a_fit_on_too_little_says_so_and_the_worker_lives_on(worker: Worker) -> None:
    feed(worker, 800)
    worker.ask()
    with pytest.raises(FitFailed, match=f"{STRUCTURAL_FROM} headers"):
        worker.take()
    for header in CHAIN[800:]:
        worker.add(header, np.zeros(WIDTH), 0.0)
    worker.ask()
    assert worker.take().last > 0


def test_a_history_too_short_for_heads_of_our_own_gets_a_structural_model(worker: Worker) -> None:
    feed(worker, STRUCTURAL_FROM + DEEP)
    worker.ask()
    model = worker.take()
    assert model.name == "structural"
    assert model.last == CHAIN[STRUCTURAL_FROM - 1].number


def test_a_dead_process_is_a_failure_not_a_hang(worker: Worker) -> None:
    assert worker._process is not None
    worker._process.kill()
    worker._process.join(10)
    with pytest.raises(FitFailed, match="died"):
        worker.take()
    with pytest.raises(FitFailed, match="died"):
        worker.ask()


def test_an_unstarted_worker_says_what_to_do() -> None:
    with pytest.raises(FitFailed, match="enter the worker"):
        Worker().ask()
