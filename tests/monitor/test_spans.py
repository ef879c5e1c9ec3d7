"""The way of a datum as a trace: whole for what led to a decision, a share of the rest, and nothing where nobody asked."""

import gzip
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from detectors.events import Stage, Tick
from detectors.execution import Execution
from monitor import spans
from monitor.demo.attacks import launch
from monitor.demo.scenery import REENTRANCY
from monitor.metrics import PARTS_FAILED
from monitor.otel import Otlp
from monitor.spans import KEPT, Way
from tests.support.daemon import Daemon, settings
from tests.support.parts import ROOT
from tests.support.receivers import Received, receiver
from tests.support.show import scene

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

TX = "0x" + "ab" * 32
STEPS = ["seen", "simulated", "judged", "decided", "told"]


def executed(tx: str = TX, at: float = 100.0) -> Execution:
    """A pending transaction that was simulated."""
    return Execution(chain="eip155:1", at=at, tx=tx, stage=Stage.PENDING, frames=[])


def written(share: float) -> tuple[Way, InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    return Way(Otlp(SimpleSpanProcessor(kept), "0"), share), kept


def test_what_led_to_a_decision_is_told_from_seen_to_told_under_its_own_hash() -> None:
    way, kept = written(0.0)
    way.simulated(TX, (100.1, 100.2))
    way.judged(executed(), (100.2, 100.3), 1, ["vault"], 100.4)
    way.told([TX, TX, None], "vault", (100.4, 100.5))
    told: dict[str, ReadableSpan] = {span.name: span for span in kept.get_finished_spans()}
    root = told.pop("transaction")
    assert list(told) == STEPS
    assert {f"{span.context.trace_id:032x}" for span in (root, *told.values()) if span.context} == {"ab" * 16}
    assert root.parent is None
    assert root.context is not None
    assert {span.parent.span_id for span in told.values() if span.parent} == {root.context.span_id}
    times = [(span.start_time or 0, span.end_time or 0) for span in told.values()]
    assert all(began <= ended for began, ended in times)
    assert times == sorted(times)
    assert [(began, ended) for began, ended in times[:2]] == [
        (100_000_000_000, 100_100_000_000),
        (100_100_000_000, 100_200_000_000),
    ]


def test_of_the_rest_a_share_is_told_and_the_same_one_everywhere() -> None:
    few, kept = written(0.25)
    hashes = [f"0x{number * 0x9E3779B97F4A7C15 % (1 << 128):032x}{number:032x}" for number in range(1, 1001)]
    for tx in hashes:
        few.judged(executed(tx), (1.0, 1.0), 0, (), 1.0)
    roots = [span for span in kept.get_finished_spans() if span.name == "transaction"]
    assert 200 < len(roots) < 300
    assert {dict(span.attributes or {})["seawall.tx"] for span in roots} == {tx for tx in hashes if spans.chosen(tx, 0.25)}


def test_what_is_no_execution_has_no_way_and_what_is_remembered_is_bounded() -> None:
    way, kept = written(1.0)
    way.judged(Tick(chain="eip155:1", at=1.0), (1.0, 1.0), 0, (), 1.0)
    assert kept.get_finished_spans() == ()
    for number in range(2 * KEPT):
        way.simulated(f"0x{number:064x}", (1.0, 1.0))
    assert len(way._simulated) == KEPT


class _Broken:
    """A writer that fails."""

    def root(self, name: str, *_: object) -> object:
        raise OSError(name)

    def child(self, _: object, name: str, *__: object) -> None:
        raise OSError(name)

    def close(self) -> None:
        """Nothing is open."""


def test_a_trace_that_cannot_be_written_costs_no_verdict_and_is_told_once() -> None:
    before = PARTS_FAILED.labels("spans")._value.get()
    way = spans.start(_Broken(), 1.0)
    way.judged(executed(), (1.0, 1.0), 0, (), 1.0)
    assert spans.way is None
    assert PARTS_FAILED.labels("spans")._value.get() == before + 1


def test_nothing_is_loaded_while_nobody_asks_and_without_the_extra_asking_is_refused_in_words() -> None:
    script = """
        import sys
        import monitor.app
        from monitor import spans
        from monitor.assembly import trace
        from monitor.config import parse
        from monitor.errors import ConfigError
        assert spans.way is None and not any(name.startswith("opentelemetry") for name in sys.modules)
        sys.modules["opentelemetry"] = None
        chains = "version: 1\\nchains: {c: {id: 'eip155:1', nodes: [{name: n, ws: 'ws://127.0.0.1:1'}]}}\\n"
        trace(parse(chains, "seawall.yaml", {}))
        try:
            trace(parse(chains + "tracing: {}\\n", "seawall.yaml", {}))
        except ConfigError as error:
            print(*error.problems)
    """
    told = subprocess.run(
        [sys.executable, "-c", dedent(script)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'seawall[otel]'" in told.stdout


async def test_an_attack_on_a_real_daemon_is_a_trace_at_a_real_collector(tmp_path: Path) -> None:
    async with scene(1, kinds=(REENTRANCY,), private=False) as show, receiver() as collector:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = settings(tmp_path, show.anvil.ws, watch=attack.victim, blind_after="30s")
        config["tracing"] = {"endpoint": f"{collector.url}/v1/traces", "share": 0}
        async with Daemon(tmp_path, config) as daemon:
            await show.mine()
            await daemon.until("run")
            tx = await launch(attack, show.wallet)
            await daemon.until("pause", recorded=True)
            opened = {"Accept": "application/openmetrics-text; version=1.0.0"}
            async with daemon.http.get(f"{daemon.read}/metrics", headers=opened) as answer:
                shown = await answer.text()
            await daemon.stop()  # what is left is sent
        told = [span for one in collector.received for span in spans_of(one)]
    assert f'trace_id="{tx[2:34]}"' in shown, "an exemplar of the time to pause leads to the trace"
    mine = [span for span in told if span.trace_id.hex() == tx[2:34]]
    assert {span.name for span in mine} >= {"transaction", *STEPS}
    assert {span.trace_id.hex() for span in told} == {tx[2:34]}, "those that led to nothing are not told"
    (root,) = {span.span_id for span in mine if span.name == "transaction" and not span.parent_span_id}
    assert {span.parent_span_id for span in mine if span.name == "decided"} == {root}


def spans_of(request: Received) -> list[Any]:
    """The spans in an OTLP request, as the published protocol has them."""
    body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
    decoded = ExportTraceServiceRequest.FromString(body)
    return [span for resource in decoded.resource_spans for scope in resource.scope_spans for span in scope.spans]
