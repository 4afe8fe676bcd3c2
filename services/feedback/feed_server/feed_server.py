"""Serves the committed feed: where a subscriber starts, and what it gets."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import frame_pb2
from services.common.errors import EpochLostError, HistoryGoneError, NotReadyError
from services.common.logs import logger
from services.feedback.feed_server.frame_hub import FrameHub
from services.feedback.feed_server.frame_merge import mergeable, merged
from services.feedback.feed_server.frame_store import CommittedFrame, FrameStore, SnapshotPin
from services.feedback.feed_server.prepared import MOST_PREPARED, Prepared
from services.feedback.feed_server.sections import without_unwanted

HEARTBEAT_SECONDS = 1.0
_MESSAGE_BYTES = 3 * 1024 * 1024
_log = logger("feed_server")


class SubscriptionMetrics:
    """State of all subscribers of a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.streams = Gauge(
            "harken_feed_subscribers", "Streams of subscribers that are open.", registry=registry
        )
        self.sent = Counter(
            "harken_feed_sent", "Frames sent, over all subscribers.", registry=registry
        )
        self.snapshots = Counter(
            "harken_feed_snapshots", "Snapshots that subscribers began to read.", registry=registry
        )


class FeedServer:
    """Serves the committed feed to subscribers."""

    def __init__(self, hub: FrameHub, store: FrameStore, metrics: SubscriptionMetrics) -> None:
        self._hub = hub
        self._store = store
        self._metrics = metrics
        self._parsed: Prepared[tuple[int, int], frame_pb2.Frame] = Prepared()
        self._prepared: Prepared[
            tuple[int, int, int, frozenset[frame_pb2.Section]], pb.SubscribeResponse
        ] = Prepared()

    async def stream(
        self, start: pb.SubscribeStart, sections: frozenset[frame_pb2.Section]
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """Yield the welcome, a snapshot if asked for, then frames for ever.

        Raises:
            HistoryGoneError: the frames after the resume point are gone.
            EpochLostError: the resume point is ahead of the head, or on another fork.
            NotReadyError: a new epoch began, so that the welcome is out of date.

        """
        # From the table, not the hub: the hub learns of forks a moment later.
        head = await self._store.head()
        begins = start.WhichOneof("from")
        if begins == "resume":
            await self._check_resume(start.resume)
        welcome = pb.Welcome(
            epoch=head.epoch, head_version=head.version, through_sequence=head.sequence
        )
        for epoch, last in head.forks.items():
            welcome.forks.add(epoch=epoch, last_sequence=last)
        self._metrics.streams.inc()
        pin: SnapshotPin | None = None
        try:
            yield pb.SubscribeResponse(welcome=welcome)
            at = start.resume
            if begins == "newest":
                at = pb.ResumePoint(epoch=head.epoch, version=head.version)
            elif begins != "resume":
                self._metrics.snapshots.inc()
                _log.info("snapshot", subscriber=start.subscriber)
                pin = await self._store.pin_newest()
                async for chunk in self._snapshot(sections, pin):
                    yield chunk
                    at = pb.ResumePoint(
                        epoch=chunk.snapshot_chunk.content.epoch,
                        version=chunk.snapshot_chunk.content.version,
                    )
            async for response in self._frames(sections, at, pin, start.gather_ms):
                if response.frame.epoch > head.epoch:
                    # The welcome did not say where the epoch before it ended.
                    raise NotReadyError("a new epoch began: subscribe again")
                yield response
        finally:
            self._metrics.streams.dec()
            if pin is not None:
                await pin.release()

    async def _check_resume(self, resume: pb.ResumePoint) -> None:
        head = self._hub.head
        if resume.version > head.version:
            # We may be a moment behind another process that served it.
            head = await self._store.head()
        if resume.version > head.version:
            raise EpochLostError(
                f"version {resume.version} is ahead of the head {head.version}: "
                "it belongs to a history that was abandoned"
            )
        if resume.version > 0:
            found = await self._store.point_at(resume.version)
            if found is None:
                raise HistoryGoneError(f"version {resume.version} is no longer kept")
            if found.epoch != resume.epoch:
                raise EpochLostError(
                    f"version {resume.version} was committed in epoch {found.epoch}, "
                    f"the subscriber has it of epoch {resume.epoch}"
                )
        if resume.version < head.version and self._hub.after(resume.version) is None:
            following = await self._store.frames_after(resume.version)
            if not following:
                raise HistoryGoneError(f"frames after version {resume.version} are gone")

    async def _snapshot(
        self, sections: frozenset[frame_pb2.Section], pin: SnapshotPin | None
    ) -> AsyncIterator[pb.SubscribeResponse]:
        if pin is None:
            # Nothing was forgotten yet: all of history is in the frames.
            empty = pb.SnapshotChunk(index=0, last=True, content=frame_pb2.Frame())
            yield pb.SubscribeResponse(snapshot_chunk=empty)
            return
        index = 0
        async for content in self._store.checkpoint_chunks(pin.checkpoint):
            chunk = pb.SnapshotChunk(
                index=index,
                last=index == pin.checkpoint.chunks - 1,
                content=without_unwanted(content, sections),
            )
            yield pb.SubscribeResponse(snapshot_chunk=chunk)
            await pin.renew()
            index += 1

    async def _frames(
        self,
        sections: frozenset[frame_pb2.Section],
        at: pb.ResumePoint,
        pin: SnapshotPin | None,
        gather_ms: int,
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """Yield frames after a point for ever; `pin` is released once nothing can be missed.

        What came while one was being sent comes as one, as far as that goes.
        """
        epoch, version = at.epoch, at.version
        while True:
            committed = self._hub.after(version)
            if committed is None:
                if pin is not None:
                    await pin.renew()
                committed = await self._store.frames_after(version)
                if not committed:
                    await self._check_resume(pb.ResumePoint(epoch=epoch, version=version))
            elif pin is not None:
                await pin.release()
                pin = None
            if committed:
                frames = [self._parse(one) for one in _together(committed)]
                count = mergeable(frames)
                epoch, version = frames[count - 1].epoch, frames[count - 1].version
                self._metrics.sent.inc()
                yield self._prepare(frames[:count], sections)
            elif await self._hub.news.wait(version, HEARTBEAT_SECONDS):
                if gather_ms:
                    await asyncio.sleep(gather_ms / 1e3)
            else:
                head = self._hub.head
                yield pb.SubscribeResponse(
                    heartbeat=pb.Heartbeat(epoch=head.epoch, head_version=head.version)
                )

    def _parse(self, committed: CommittedFrame) -> frame_pb2.Frame:
        """Return a frame; parsed once for all who get it about the same time."""
        return self._parsed.get((committed.epoch, committed.version), committed.parsed)

    def _prepare(
        self, frames: Sequence[frame_pb2.Frame], sections: frozenset[frame_pb2.Section]
    ) -> pb.SubscribeResponse:
        """Return the message of frames; made once for all who want the same of the same."""

        def make() -> pb.SubscribeResponse:
            wanted = [without_unwanted(frame, sections) for frame in frames]
            return pb.SubscribeResponse(frame=merged(wanted))

        key = (frames[0].epoch, frames[0].version, frames[-1].version, sections)
        return self._prepared.get(key, make)


def _together(committed: Sequence[CommittedFrame]) -> Sequence[CommittedFrame]:
    """Return the first frames, at least one, that a message of default clients has room for."""
    size = 0
    for number, frame in enumerate(committed[:MOST_PREPARED]):
        size += len(frame.content)
        if size > _MESSAGE_BYTES and number:
            return committed[:number]
    return committed[:MOST_PREPARED]
