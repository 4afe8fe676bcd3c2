"""One event followed from RecordEvents to the slate that first reflects it, through processes."""

import asyncio
import importlib
import importlib.util
import itertools
import json
import socket
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from harken.feedback.v1 import feedback_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.suite import Suite
from services.common.position import decode_position
from services.common.tracing import event_tracer, in_share, threshold_of, traceparent_of
from tests.conftest import StartSuite
from tests.end_to_end.clients import caller_of, catalogue, event, user
from tests.waiting import until

needs_otel = pytest.mark.skipif(
    importlib.util.find_spec("opentelemetry") is None,
    reason="OpenTelemetry is not installed (extra otel)",
)
STAGES = 6
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _suite(start: StartSuite, target: str, share: float) -> Suite:
    settings = {"TRACE_TARGET": target, "TRACE_SHARE": str(share)}
    return start(
        preset="media",
        split_feedback=True,
        environment={
            kind: {f"HARKEN_{kind.upper()}_{key}": value for key, value in settings.items()}
            for kind in ("feedback", "profile", "ranker")
        },
    )


def _spans(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the spans of a file of OTLP JSON lines, with the service of each."""
    for line in path.read_text().splitlines() if path.exists() else ():
        for resource in json.loads(line)["resourceSpans"]:
            named = {
                one["key"]: one["value"].get("stringValue")
                for one in resource["resource"]["attributes"]
            }
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    yield {**span, "service": named["service.name"]}


def _sequence(span: dict[str, Any]) -> int:
    (value,) = (a["value"] for a in span["attributes"] if a["key"] == "harken.sequence")
    return int(value["intValue"])


@needs_otel
async def test_one_trace_holds_all_stages_of_an_event(suite: StartSuite, tmp_path: Path) -> None:
    target = tmp_path / "spans.jsonl"
    running = await asyncio.to_thread(_suite, suite, f"file:{target}", 1.0)
    metadata = (("traceparent", CALLER),)
    async with caller_of(running) as caller:
        await caller.upsert(*catalogue())
        request = feedback_service_pb2.RecordEventsRequest(
            events=[event(f"e-{n}", "ann", f"space-{3 * n}") for n in range(2)]
        )
        answer = await caller.clients.feedback.RecordEvents(request, metadata=metadata)
        sequences = [decode_position(result.position).sequence for result in answer.results]
        asked = ranker_service_pb2.RecommendRequest(
            subject=user("ann"), count=5, min_position=answer.position, strict=True
        )
        asked.wait_budget.FromSeconds(10)
        slate = await caller.clients.rankers[0].Recommend(asked, metadata=metadata)
        # A second slate reflects the event too, but is not the first.
        await caller.slate("ann", answer.position)
        await caller.profile("ann", answer.position)

    def complete() -> bool:
        # Processes send when they like.
        return sum(1 for _ in _spans(target)) >= len(sequences) * STAGES

    await until(complete, "the spans of both events")
    traces = defaultdict(list)
    for span in _spans(target):
        traces[span["traceId"]].append(span)
    assert len(traces) == len(sequences)
    for spans in traces.values():
        assert len({_sequence(span) for span in spans}) == 1
        assert _sequence(spans[0]) in sequences
        # Either or both of ingest and learner push, whoever has a subscriber.
        names = {(span["name"], span["service"]) for span in spans}
        assert names == {
            ("accepted", "harken-feedback"),
            ("learned", "harken-feedback"),
            ("pushed", "harken-feedback"),
            ("visible", "harken-ranker"),
            ("visible", "harken-profile"),
            ("slate", "harken-ranker"),
        }
        assert len(spans) == len(names)
        by_name = {(span["name"], span["service"]): span for span in spans}
        accepted = by_name["accepted", "harken-feedback"]
        learned = by_name["learned", "harken-feedback"]
        pushed = by_name["pushed", "harken-feedback"]
        visible = by_name["visible", "harken-ranker"]
        shown = by_name["slate", "harken-ranker"]
        assert "parentSpanId" not in accepted
        assert learned["parentSpanId"] == accepted["spanId"]
        # What a user did does not wait for being learned.
        assert pushed["parentSpanId"] == accepted["spanId"]
        assert visible["parentSpanId"] == accepted["spanId"]
        assert shown["parentSpanId"] == visible["spanId"]
        for span in (accepted, shown):
            (link,) = span["links"]
            assert (link["traceId"], link["spanId"]) == tuple(CALLER.split("-")[1:3])
        ends = [int(one["endTimeUnixNano"]) for one in (accepted, pushed, visible, shown)]
        assert ends[1:] == sorted(ends[1:])
        assert all(int(s["startTimeUnixNano"]) <= int(s["endTimeUnixNano"]) for s in spans)
        attributes = {a["key"]: a["value"].get("stringValue") for a in shown["attributes"]}
        assert attributes["harken.slate_id"] == slate.slate_id
    assert "ann" not in target.read_text()


async def test_without_the_setting_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys\n"
        "import services.feedback.__main__, services.profile.__main__, services.ranker.__main__\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output.decode().strip() == "[]"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 1.0])
def test_a_share_is_taken_evenly_and_by_all_alike(share: float) -> None:
    taken = [n for n in range(1, 100_001) if in_share(n, threshold_of(share))]
    assert abs(len(taken) - share * 100_000) <= 5
    # Also of every stretch: steps are short.
    longest = max((b - a for a, b in itertools.pairwise(taken)), default=0)
    assert share == 0 or longest <= 3 / share


def test_a_traceparent_is_found_among_metadata() -> None:
    assert traceparent_of(None) == ""
    assert traceparent_of([("a", "b"), ("traceparent", CALLER)]) == CALLER
    assert traceparent_of([("traceparent", b"bytes")]) == ""


@needs_otel
async def test_spans_reach_a_collector_by_otlp() -> None:
    """The other target: OTLP over gRPC; `close` sends what is waiting."""
    package = "opentelemetry.proto.collector.trace.v1"
    trace_service_pb2: Any = importlib.import_module(f"{package}.trace_service_pb2")
    trace_service_pb2_grpc: Any = importlib.import_module(f"{package}.trace_service_pb2_grpc")
    received: list[Any] = []

    class Collector:
        async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
            received.append(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Collector(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with event_tracer("ranker", f"http://127.0.0.1:{port}", 1.0) as tracer:
            assert tracer is not None
            tracer.span("accepted", 7, 1.0, 2.0)
            tracer.span("learned", 7, 2.0, 3.0, "accepted")
        spans = [
            span
            for request in received
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        accepted, learned = spans
        assert (accepted.name, learned.name) == ("accepted", "learned")
        assert accepted.trace_id == learned.trace_id
        assert learned.parent_span_id == accepted.span_id
        assert (learned.start_time_unix_nano, learned.end_time_unix_nano) == (2 * 10**9, 3 * 10**9)
    finally:
        await server.stop(0)


@needs_otel
async def test_a_collector_that_is_away_holds_nothing_up() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with asyncio.timeout(10), event_tracer("ranker", target, 1.0) as tracer:
            assert tracer is not None
            for sequence in range(3000):
                tracer.span("accepted", sequence, 1.0, 2.0)
