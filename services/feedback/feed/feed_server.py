"""Serves the committed feed: where a subscriber starts, and what it gets."""

from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import frame_pb2
from services.common.errors import EpochLostError, HistoryGoneError, NotReadyError
from services.common.logs import logger
from services.feedback.feed.ack_book import AckTracker
from services.feedback.feed.frame_hub import FrameHub
from services.feedback.feed.history import HistoryPlan, history, plan_history
from services.feedback.feed.sections import without_unwanted
from services.feedback.feed.subscriber import Subscriber
from services.feedback.store.frame_store import CommittedFrame, FrameStore, SnapshotPin

HEARTBEAT_SECONDS = 1.0
_PREPARED = 16
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
        self.histories = Counter(
            "harken_feed_histories",
            "Histories made from the log, for subscribers whose frames were gone.",
            registry=registry,
        )


class FeedServer:
    """Serves the committed feed to subscribers."""

    def __init__(self, hub: FrameHub, store: FrameStore, metrics: SubscriptionMetrics) -> None:
        self._hub = hub
        self._store = store
        self._metrics = metrics
        self._parsed: dict[tuple[int, int], frame_pb2.Frame] = {}
        self._prepared: dict[
            tuple[int, int, frozenset[frame_pb2.Section]], pb.SubscribeResponse
        ] = {}

    async def stream(
        self, subscriber: Subscriber, start: pb.SubscribeStart, acks: AckTracker
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """Yield the welcome, a snapshot or history if asked for and needed, then frames for ever.

        Raises:
            HistoryGoneError: the frames after the resume point are gone.
            EpochLostError: the resume point is ahead of the head, or on another fork.

        """
        # From the table, not the hub: the hub learns of forks a moment later.
        head = await self._store.head()
        wants_snapshot = start.WhichOneof("from") != "resume"
        plan: HistoryPlan | None = None
        begins = 0
        if not wants_snapshot:
            begins = start.resume.version
            if start.history:
                acked = (await self._store.acks()).get(subscriber.name, 0)
                plan = await plan_history(self._store, start.resume, head, acked)
            if plan is None:
                await self._check_resume(start.resume)
            else:
                # Whoever breaks off before its end gets the rest of it from the log as well.
                begins = plan.until.version
        # Not before the resume point is known to be of our history: what is acked is not kept.
        await acks.begin(begins)
        welcome = pb.Welcome(
            epoch=head.epoch,
            head_version=head.version,
            through_sequence=head.sequence,
            history=plan is not None,
        )
        for epoch, last in head.forks.items():
            welcome.forks.add(epoch=epoch, last_sequence=last)
        self._metrics.streams.inc()
        pin: SnapshotPin | None = None
        try:
            yield pb.SubscribeResponse(welcome=welcome)
            at = start.resume
            if wants_snapshot:
                self._metrics.snapshots.inc()
                _log.info("snapshot", subscriber=subscriber.name)
                pin = await self._store.pin_newest()
                async for chunk in self._snapshot(subscriber, pin):
                    yield chunk
                    at = pb.ResumePoint(
                        epoch=chunk.snapshot_chunk.content.epoch,
                        version=chunk.snapshot_chunk.content.version,
                    )
                acks.sent(at.version)
            if plan is not None:
                async for part in self._history(subscriber, plan):
                    yield part
                at = pb.ResumePoint(epoch=plan.until.epoch, version=plan.until.version)
            async for response in self._frames(subscriber, at, acks, pin):
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

    async def _history(
        self, subscriber: Subscriber, plan: HistoryPlan
    ) -> AsyncIterator[pb.SubscribeResponse]:
        self._metrics.histories.inc()
        _log.warning(
            "history from the log",
            subscriber=subscriber.name, before=plan.after_sequence, head=plan.until.sequence,
        )  # fmt: skip
        async for part in history(self._store, plan):
            yield pb.SubscribeResponse(history=part)

    async def _snapshot(
        self, subscriber: Subscriber, pin: SnapshotPin | None
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
                content=without_unwanted(content, subscriber.sections),
            )
            yield pb.SubscribeResponse(snapshot_chunk=chunk)
            await pin.renew()
            index += 1

    async def _frames(
        self,
        subscriber: Subscriber,
        at: pb.ResumePoint,
        acks: AckTracker,
        pin: SnapshotPin | None,
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """Yield frames after a point for ever; `pin` is released once nothing can be missed."""
        epoch, version = at.epoch, at.version
        while True:
            acks.raise_failure()
            frames = self._hub.after(version)
            if frames is None:
                if pin is not None:
                    await pin.renew()
                frames = await self._store.frames_after(version)
                if not frames:
                    await self._check_resume(pb.ResumePoint(epoch=epoch, version=version))
            elif pin is not None:
                await pin.release()
                pin = None
            for committed in frames:
                epoch, version = committed.epoch, committed.version
                frame = self._parse(committed)
                self._metrics.sent.inc()
                acks.sent(version)
                yield self._prepare(frame, subscriber.sections)
            if not frames and not await self._hub.news.wait(version, HEARTBEAT_SECONDS):
                head = self._hub.head
                yield pb.SubscribeResponse(
                    heartbeat=pb.Heartbeat(epoch=head.epoch, head_version=head.version)
                )

    def _parse(self, committed: CommittedFrame) -> frame_pb2.Frame:
        """Return a frame; parsed once for all who get it about the same time."""
        key = (committed.epoch, committed.version)
        frame = self._parsed.get(key)
        if frame is None:
            frame = self._parsed[key] = committed.parsed()
            if len(self._parsed) > _PREPARED:
                del self._parsed[next(iter(self._parsed))]
        return frame

    def _prepare(
        self, frame: frame_pb2.Frame, sections: frozenset[frame_pb2.Section]
    ) -> pb.SubscribeResponse:
        """Return the message of a frame; made once for all who want the same sections."""
        key = (frame.epoch, frame.version, sections)
        message = self._prepared.get(key)
        if message is None:
            message = pb.SubscribeResponse(frame=without_unwanted(frame, sections))
            self._prepared[key] = message
            if len(self._prepared) > _PREPARED:
                del self._prepared[next(iter(self._prepared))]
        return message
