"""Following one event through the loop, off unless configured. Nothing of OpenTelemetry is here.

No context travels with an event: the id of its trace follows from its log sequence, which every
stage knows, and so does whether it is traced at all.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

_SCATTER = 0x9E3779B97F4A7C15
"""Odd, near 2^64 divided by the golden ratio: consecutive sequences land far from each other."""
_WORD = 1 << 64


class EventTracer(Protocol):
    """Takes spans of events. Every process must be given the same share."""

    def follows(self, sequence: int) -> bool:
        """Return whether the event with this log sequence is traced."""

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
        """Take note of a stage of an event, between two unix times.

        `after`: the stage that led to it, empty for the first. `caller`: a W3C traceparent to link
        to; empty or malformed for none. `attributes`: never anything that names a user.
        """

    def close(self) -> None:
        """Send what is waiting, for a few seconds at most."""


def in_share(sequence: int, threshold: int) -> bool:
    """Return whether a sequence is among those below a threshold in [0, 2^64]."""
    return sequence * _SCATTER % _WORD < threshold


def threshold_of(share: float) -> int:
    """Return the threshold that takes about a share, 0 to 1, of all sequences."""
    return round(share * _WORD)


def traceparent_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Return the W3C traceparent among a call's metadata; empty when there is none."""
    for key, value in metadata or ():
        if key == "traceparent" and isinstance(value, str):
            return value
    return ""


@contextlib.asynccontextmanager
async def event_tracer(
    service: str, target: str, share: float
) -> AsyncIterator[EventTracer | None]:
    """Lend the tracer of a process; None, and nothing is imported, when `target` is empty.

    `target`: an OTLP gRPC endpoint ("http://collector:4317"), or "file:" and a path, which gets
    OTLP as JSON lines. `share`: of the events, 0 to 1.

    Raises:
        RuntimeError: the extra `otel` is not installed.

    """
    if not target:
        yield None
        return
    try:
        from services.common.tracing_otel import OtelTracer
    except ImportError as error:
        raise RuntimeError(f"tracing needs the extra otel: {error}") from error
    tracer: EventTracer = OtelTracer(
        service, f"{socket.gethostname()}/{os.getpid()}", target, share
    )
    try:
        yield tracer
    finally:
        await asyncio.to_thread(tracer.close)
