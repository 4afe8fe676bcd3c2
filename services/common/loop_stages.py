"""The stages of the loop, per event: accepted, learned, pushed, visible."""

import time

from prometheus_client import CollectorRegistry, Histogram

from harken.feedback.v1 import frame_pb2
from services.common.tracing import EventTracer

ACCEPTED, LEARNED, PUSHED, VISIBLE = "accepted", "learned", "pushed", "visible"
STAGES = (ACCEPTED, LEARNED, PUSHED, VISIBLE)
_BEFORE = {ACCEPTED: "", LEARNED: ACCEPTED, PUSHED: LEARNED, VISIBLE: LEARNED}
_BUCKETS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip


class LoopMetrics:
    """The histogram of a process; each process has the stages that it is."""

    def __init__(self, registry: CollectorRegistry, tracer: EventTracer | None = None) -> None:
        """Spans go to `tracer` when there is one."""
        self._tracer = tracer
        self._seconds = Histogram(
            "harken_loop_stage_seconds",
            "Seconds from the acceptance of an event until a stage of the loop was done: accepted"
            " (durable in the log), learned (its step is committed), pushed (its frame went to a"
            " first subscriber), visible (applied by this process). Counts events.",
            ["stage"], buckets=_BUCKETS, registry=registry,
        )  # fmt: skip

    def stage(self, name: str) -> "LoopStage":
        """Return a stage, one of STAGES."""
        return LoopStage(name, self._seconds.labels(name), self._tracer)


class LoopStage:
    """Counts and times what passes a stage."""

    def __init__(self, name: str, seconds: Histogram, tracer: EventTracer | None) -> None:
        self._name = name
        self._seconds = seconds
        self._tracer = tracer

    @property
    def traced(self) -> bool:
        """Whether there is a tracer."""
        return self._tracer is not None

    def count(self, events: int, seconds: float) -> None:
        """Count events that took as long, each."""
        for _ in range(events):
            self._seconds.observe(seconds)

    def trace(self, sequence: int, began: float, ended: float, caller: str = "") -> None:
        """Trace an event, if it is one of those, between two unix times.

        `caller`: W3C traceparent of who sent it.
        """
        if self._tracer is not None and self._tracer.follows(sequence):
            before = _BEFORE[self._name]
            self._tracer.span(self._name, sequence, began, ended, before, caller)

    def passed(self, frame: frame_pb2.Frame, began: float) -> None:
        """Count the events of a frame, of which the stage began at a unix time and ends now."""
        now = time.time()
        observe = self._seconds.observe
        since_newest = now - frame.accepted_at_us / 1e6
        for changes in frame.tenants:
            for age_us in changes.users.event_ages_us:
                observe(max(0.0, since_newest + age_us / 1e6))
        if self._tracer is not None:
            for changes in frame.tenants:
                for sequence in changes.users.event_sequences:
                    self.trace(sequence, began, now)
