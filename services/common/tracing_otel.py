"""The tracer behind the extra `otel`: spans to a collector by OTLP, or to a file.

Ids are made from the log sequence, so that processes that never speak to each other add to one
trace. Spans are sent by a thread of OpenTelemetry; when too many wait, it drops them.
"""

# The extra may be missing where types are checked.
# mypy: disable-error-code="import-not-found,misc"

import base64
import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation import set_span_in_context

from services.common.tracing import in_share, threshold_of

_FILE = "file:"
_SEND_EVERY_MS = 1000
_CLOSE_SECONDS = 2.0
_ONE_PER_EVENT = ("accepted", "learned")
"""Stages that happen once; others happen in several processes, and their ids differ."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class OtelTracer:
    """See `EventTracer`. Belongs to one event loop."""

    def __init__(self, service: str, instance: str, target: str, share: float) -> None:
        """Follow a `share` of the events, 0 to 1, and send spans to `target`."""
        self._threshold = threshold_of(share)
        self._instance = instance
        self._ids = _GivenIds()
        resource = Resource({SERVICE_NAME: f"harken-{service}", SERVICE_INSTANCE_ID: instance})
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource,
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(_exporter(target), schedule_delay_millis=_SEND_EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("harken")

    def follows(self, sequence: int) -> bool:
        """Return whether the event with this log sequence is traced."""
        return in_share(sequence, self._threshold)

    def span(
        self,
        stage: str,
        sequence: int,
        began: float,
        ended: float,
        after: str = "",
        caller: str = "",
        attributes: Mapping[str, str | int] | None = None,
    ) -> None:
        """Take note of a stage of an event; see `EventTracer`."""
        self._ids.trace_id = _trace_id(sequence)
        self._ids.span_id = self._span_id(sequence, stage)
        context = Context()
        if after:
            before = SpanContext(
                self._ids.trace_id,
                self._span_id(sequence, after),
                is_remote=True,
                trace_flags=TraceFlags(TraceFlags.SAMPLED),
            )
            context = set_span_in_context(NonRecordingSpan(before), context)
        span = self._tracer.start_span(
            stage,
            context,
            attributes={"harken.sequence": sequence, **(attributes or {})},
            links=_links(caller),
            start_time=int(began * 1e9),
        )
        span.end(int(max(began, ended) * 1e9))

    def close(self) -> None:
        """Send what is waiting, for a few seconds at most."""
        # By itself it would go on trying for as long as anything waits.
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(_CLOSE_SECONDS)

    def _span_id(self, sequence: int, stage: str) -> int:
        place = "" if stage in _ONE_PER_EVENT else self._instance
        return _number(f"span {sequence} {stage} {place}", 8)


class _GivenIds(IdGenerator):
    """Gives the ids that were set last."""

    def __init__(self) -> None:
        self.trace_id = 1
        self.span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


def _trace_id(sequence: int) -> int:
    return _number(f"trace {sequence}", 16)


def _number(text: str, size: int) -> int:
    """Return a number of `size` bytes that follows from a text; 0 is no id."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "big") or 1


def _links(caller: str) -> list[Link]:
    found = _TRACEPARENT.fullmatch(caller)
    if found is None:
        return []
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags & 1))
    return [Link(context)] if context.is_valid else []


def _exporter(target: str) -> SpanExporter:
    if target.startswith(_FILE):
        return _FileExporter(Path(target.removeprefix(_FILE)))
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter: SpanExporter = OTLPSpanExporter(
        endpoint=target, insecure=not target.startswith("https://"), timeout=5
    )
    return exporter


class _FileExporter(SpanExporter):
    """Appends OTLP as JSON lines; several processes may share a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        message = MessageToDict(encode_spans(spans))
        for resource in message["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    _ids_as_hex(span)
        line = json.dumps(message, separators=(",", ":")) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
        return SpanExportResult.SUCCESS


def _ids_as_hex(span: dict[str, Any]) -> None:
    """Turn ids into hexadecimal, as OTLP has them in JSON, unlike protobuf."""
    for part in (span, *span.get("links", ())):
        for key in ("traceId", "spanId", "parentSpanId"):
            if part.get(key):
                part[key] = base64.b64decode(part[key]).hex()
