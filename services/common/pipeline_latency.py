"""The stages of the loop, per event: accepted, learned, pushed, visible."""

import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from services.common.plain_metrics import Distribution, Distributions
from services.common.tracing import EventTracer

ACCEPTED, LEARNED, PUSHED, VISIBLE = "accepted", "learned", "pushed", "visible"
STAGES = (ACCEPTED, LEARNED, PUSHED, VISIBLE)
_BEFORE = {ACCEPTED: "", LEARNED: ACCEPTED, PUSHED: ACCEPTED, VISIBLE: ACCEPTED}
"""The stage that led to one. Several processes push, and none that receives knows which: so what is
visible follows from what was accepted.
"""
_BOUNDS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip


class PipelineLatency:
    """The histogram of a process; each process has the stages that it is."""

    def __init__(self, registry: CollectorRegistry, tracer: EventTracer | None = None) -> None:
        """Spans go to `tracer` when there is one."""
        self._tracer = tracer
        self._stages: dict[str, PipelineStage] = {}
        self._seconds = Distributions(
            "harken_loop_stage_seconds",
            "Seconds from the acceptance of an event until a stage of the loop was done: accepted"
            " (durable in the log), learned (its step is committed), pushed (it went to a first"
            " subscriber), visible (applied by this process). Counts events.",
            ["stage"], _BOUNDS, registry,
        )  # fmt: skip

    def stage(self, name: str) -> "PipelineStage":
        """Return a stage, one of STAGES; the same for the same name."""
        if name not in self._stages:
            self._stages[name] = PipelineStage(name, self._seconds.labels(name), self._tracer)
        return self._stages[name]


class PipelineStage:
    """Counts and times what passes a stage. Belongs to one event loop."""

    def __init__(self, name: str, seconds: Distribution, tracer: EventTracer | None) -> None:
        self._name = name
        self._seconds = seconds
        self._tracer = tracer

    @property
    def traced(self) -> bool:
        """Whether there is a tracer."""
        return self._tracer is not None

    def count(self, events: int, seconds: float) -> None:
        """Count events that took as long, each."""
        self._seconds.observe(seconds, events)

    def trace(self, sequence: int, began: float, ended: float, caller: str = "") -> None:
        """Trace an event, if it is one of those, between two unix times.

        `caller`: W3C traceparent of who sent it.
        """
        if self._tracer is not None and self._tracer.follows(sequence):
            before = _BEFORE[self._name]
            self._tracer.span(self._name, sequence, began, ended, before, caller)

    def passed(self, accepted_us: Sequence[int], sequences: Sequence[int], began: float) -> None:
        """Count events [n], by when they were accepted, unix microseconds, and their sequences.

        The stage began at a unix time and ends now.
        """
        now = time.time()
        for at_us in accepted_us:
            # Clocks of several hosts differ: never less than nothing.
            self._seconds.observe(max(0.0, now - at_us / 1e6))
        if self._tracer is not None:
            for sequence in sequences:
                self.trace(sequence, began, now)
