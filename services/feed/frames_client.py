"""Client of the feed: subscribes, resumes after every break, applies frames in order."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import grpc
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import feed_service_pb2_grpc, frame_pb2
from services.common.errors import EpochLostError, HistoryGoneError, StoreUnavailableError
from services.common.logs import logger
from services.common.status import reason_of
from services.feed.feed_lag import FeedLag
from services.feed.progress import Applied, Progress
from services.feed.stream import Backoff, ReadAhead, StreamReader

_MAX_BATCH = 64
_GATHER_THERE_SECONDS = 1.0
"""Frames gather at the server for so long at most."""
_log = logger("feed")

Restart = Callable[[AsyncIterator[frame_pb2.Frame]], Awaitable[None]]
"""Replaces all state by a snapshot, given in chunks, then sets progress to its version. Nothing
changes when the chunks break off."""


class FrameRefusedError(Exception):
    """The sink applied nothing of a frame, because it is wrong."""

    def __init__(self, version: int, reason: str) -> None:
        super().__init__(f"frame {version}: {reason}")
        self.version = version
        self.reason = reason


class FrameSink(Protocol):
    """What applies frames. Its progress says where to resume."""

    progress: Progress

    async def apply(self, frames: Sequence[frame_pb2.Frame]) -> None:
        """Apply frames in order, all of them, then advance progress.

        Raises:
            FrameRefusedError: a frame is wrong; those before it may be applied, none after it.
            StoreUnavailableError: the sink's store is away; it is asked again after a pause.

        """


class FeedMetrics:
    """State of a subscription."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge(
            "harken_feed_connected", "1 while subscribed to the feed, else 0.", registry=registry
        )
        self.lag = Gauge(
            "harken_feed_lag_versions", "Versions that are known and not applied.",
            registry=registry,
        )  # fmt: skip
        self.lag_seconds = Gauge(
            "harken_feed_lag_seconds",
            "Seconds since which there is a version that is not applied, or the feed is not heard.",
            registry=registry,
        )
        self.version = Gauge(
            "harken_feed_applied_version", "Newest version applied.", registry=registry
        )
        self.frames = Counter("harken_feed_frames", "Frames applied.", registry=registry)
        self.refused = Counter(
            "harken_feed_refused", "Frames refused because they are wrong.", registry=registry
        )
        self.breaks = Counter(
            "harken_feed_breaks", "Streams of the feed that broke.", registry=registry
        )
        self.restarts = Counter(
            "harken_feed_restarts", "Snapshots that replaced the state.", registry=registry
        )
        self.apply_seconds = Histogram(
            "harken_feed_apply_seconds", "Seconds to apply the frames that had piled up.",
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=registry,
        )  # fmt: skip


class FeedClient:
    """Keeps one sink up to date."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        sink: FrameSink,
        metrics: FeedMetrics,
        subscriber: str,
        sections: Sequence[frame_pb2.Section],
        *,
        restart: Restart | None = None,
        gather_seconds: float = 0.0,
    ) -> None:
        """Subscribe as `subscriber` to `sections`.

        `restart`: with nothing applied, or when the resume point is gone, a snapshot replaces the
        sink's state; without it, when that is gone, progress is set to the newest version.
        `gather_seconds`: after applying, let frames gather for so long.
        """
        self._stub: feed_service_pb2_grpc.FeedServiceAsyncStub
        self._stub = feed_service_pb2_grpc.FeedServiceStub(channel)  # type: ignore[assignment]
        self._sink = sink
        self._metrics = metrics
        self._subscriber = subscriber
        self._sections = sections
        self._restart = restart
        self._gather_seconds = gather_seconds
        self._begins_anew = False
        self._lag = FeedLag()
        self.connected = False
        self.head_version = 0
        self.last_contact = 0.0
        metrics.lag_seconds.set_function(lambda: self._lag.seconds(self.connected))

    def caught_up(self, max_lag: int = 0) -> bool:
        """Return whether the sink has all, but for `max_lag` versions, that the server has."""
        return self.connected and self._sink.progress.applied.version + max_lag >= self.head_version

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        backoff = Backoff()
        while True:
            started = time.monotonic()
            try:
                await self._follow()
            except grpc.aio.AioRpcError as error:
                await self._note_break(error)
            except FrameRefusedError as error:
                # Trying again helps when the frame was damaged on its way; when it is wrong at
                # its source the state as it was serves on, and the metric calls for help.
                _log.error("frame refused", version=error.version, reason=error.reason)
            except (
                TimeoutError,
                EpochLostError,
                HistoryGoneError,
                StoreUnavailableError,
                ConnectionError,
            ) as error:
                _log.warning("feed broke", error=str(error) or type(error).__name__)
            finally:
                self._set_connected(False)
            self._metrics.breaks.inc()
            await backoff.pause(time.monotonic() - started)

    async def _note_break(self, error: grpc.aio.AioRpcError) -> None:
        reason = reason_of(rpc_status.from_call(error))  # type: ignore[arg-type]
        if reason in (EpochLostError.reason, HistoryGoneError.reason):
            _log.warning("resume point is gone, beginning anew", reason=reason)
            self._begins_anew = True
        else:
            _log.warning("feed broke", code=error.code().name, details=error.details())

    async def _follow(self) -> None:
        call = self._stub.Subscribe()
        reader = StreamReader(call)
        try:
            nothing = self._sink.progress.applied.version == 0
            anew = self._begins_anew or (nothing and self._restart is not None)
            await _send(call, pb.SubscribeRequest(start=self._start(anew)))
            welcome = await self._read(reader)
            if not welcome.HasField("welcome"):
                raise ConnectionError("the stream did not begin with a welcome")
            self._hear(welcome.welcome.head_version)
            self._sink.progress.learn_forks(
                {fork.epoch: fork.last_sequence for fork in welcome.welcome.forks}
            )
            if anew and self._restart is not None:
                await self._restart(self._chunks(reader))
                self._metrics.restarts.inc()
            elif anew:
                head = welcome.welcome
                self._sink.progress.advance(
                    Applied(head.epoch, head.head_version, head.through_sequence)
                )
            self._begins_anew = False
            self._note_applied()
            self._set_connected(True)
            await self._apply_all(call, reader)
        finally:
            reader.close()

    def _start(self, anew: bool) -> pb.SubscribeStart:
        applied = self._sink.progress.applied
        start = pb.SubscribeStart(
            subscriber=self._subscriber,
            sections=self._sections,
            gather_ms=int(1e3 * min(_GATHER_THERE_SECONDS, self._gather_seconds / 2)),
        )
        if not anew:
            start.resume.epoch = applied.epoch
            start.resume.version = applied.version
        elif self._restart is not None:
            start.snapshot.SetInParent()
        else:
            start.newest.SetInParent()
        return start

    async def _read(self, reader: StreamReader) -> pb.SubscribeResponse:
        message: pb.SubscribeResponse = await reader.next_message()
        self.last_contact = time.monotonic()
        return message

    async def _chunks(self, reader: StreamReader) -> AsyncIterator[frame_pb2.Frame]:
        index = 0
        while True:
            message = await self._read(reader)
            if message.HasField("heartbeat"):
                continue
            chunk = message.snapshot_chunk
            if not message.HasField("snapshot_chunk") or chunk.index != index:
                raise ConnectionError(f"expected chunk {index} of the snapshot")
            yield chunk.content
            if chunk.last:
                return
            index += 1

    async def _apply_all(self, call: grpc.aio.StreamStreamCall, reader: StreamReader) -> None:
        """Read on while applying, so that what piles up meanwhile is applied in one go."""
        async with ReadAhead(lambda: self._next_frame(reader), _MAX_BATCH) as ahead:
            while True:
                await self._apply(call, await ahead.gathered())
                ahead.check()
                if self._gather_seconds and not ahead.full():
                    await asyncio.sleep(self._gather_seconds)

    async def _next_frame(self, reader: StreamReader) -> frame_pb2.Frame:
        """Return the next frame; take note of heartbeats until then."""
        while True:
            message = await self._read(reader)
            if message.HasField("frame"):
                frame = message.frame
                self.head_version = max(self.head_version, frame.version)
                self._lag.heard(frame.version, frame.accepted_at_us / 1e6)
                return frame
            if message.HasField("heartbeat"):
                self._hear(message.heartbeat.head_version)
                self._note_applied()

    async def _apply(self, call: grpc.aio.StreamStreamCall, frames: list[frame_pb2.Frame]) -> None:
        applied = self._sink.progress.applied
        expected = applied.version
        fresh = [frame for frame in frames if frame.version > applied.version]
        for frame in fresh:
            if frame.after_version != expected:
                raise ConnectionError(f"frame {frame.version} does not follow version {expected}")
            expected = frame.version
        if not fresh:
            return
        try:
            with self._metrics.apply_seconds.time():
                await self._sink.apply(fresh)
        except FrameRefusedError as error:
            self._note_applied()
            self._metrics.refused.inc()
            nack = pb.Nack(version=error.version, reason=error.reason[:1024])
            await _send(call, pb.SubscribeRequest(nack=nack))
            raise
        self._metrics.frames.inc(len(fresh))
        self._note_applied()

    def _hear(self, head_version: int) -> None:
        self.head_version = head_version
        self._lag.head_is(head_version)

    def _note_applied(self) -> None:
        version = self._sink.progress.applied.version
        self._lag.applied(version)
        self._metrics.version.set(version)
        self._metrics.lag.set(max(0, self.head_version - version))

    def _set_connected(self, connected: bool) -> None:
        self.connected = connected
        self._metrics.connected.set(connected)


async def _send(call: grpc.aio.StreamStreamCall, message: pb.SubscribeRequest) -> None:
    try:
        await call.write(message)
    except asyncio.InvalidStateError as error:
        # What grpc says when the stream ended while we were applying.
        raise ConnectionError("the stream ended") from error


def applied_by(frame: frame_pb2.Frame) -> Applied:
    """Return the point of the feed that a frame leads to."""
    return Applied(frame.epoch, frame.version, frame.through_sequence)
