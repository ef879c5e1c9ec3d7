"""OpenTelemetry: spans over OTLP, for the extra `seawall[otel]`. Only who configures `tracing` imports this."""

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, set_span_in_context

from monitor.spans import Facts, Times

SERVICE = "seawall"


class _Named(RandomIdGenerator):
    """Gives the next trace the id that it is to have."""

    trace = 0

    def generate_trace_id(self) -> int:
        """That id, once."""
        wanted, self.trace = self.trace, 0
        return wanted or super().generate_trace_id()


class Otlp:
    """A writer of spans. `processor` takes them; whoever makes one says where they go."""

    def __init__(self, processor: SpanProcessor, version: str) -> None:
        self._ids = _Named()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # what is written was chosen before
            resource=Resource.create({"service.name": SERVICE, "service.version": version}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SERVICE, version)

    def root(self, name: str, trace: int, times: Times, facts: Facts) -> object:
        """The first span of a trace of this id."""
        self._ids.trace = trace
        return self._written(name, Context(), times, facts).get_span_context()

    def child(self, root: object, name: str, times: Times, facts: Facts) -> None:
        """A span below it."""
        self._written(name, set_span_in_context(NonRecordingSpan(root), Context()), times, facts)  # type: ignore[arg-type]  # as `root` gave it

    def close(self) -> None:
        """Send what is left, and stop."""
        self._provider.shutdown()

    def _written(self, name: str, under: Context, times: Times, facts: Facts) -> Span:
        span = self._tracer.start_span(name, under, start_time=_ns(times[0]), attributes=dict(facts))
        span.end(_ns(max(times)))
        return span


def over_http(endpoint: str | None, version: str) -> Otlp:
    """Spans go to this URL in batches; None: where the OTEL_EXPORTER_OTLP_… variables say, else to localhost:4318."""
    return Otlp(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)), version)


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
