"""One subscriber of the feed: where it starts, what it gets, what it acked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.feedback.v1 import embedding_service_pb2 as pb
from harken.feedback.v1 import frame_pb2
from services.common.errors import EpochLostError, HistoryGoneError
from services.common.logs import logger
from services.feedback.frame_hub import FrameHub
from services.feedback.store.frame_store import FrameStore

HEARTBEAT_SECONDS = 1.0
_ACK_SECONDS = 1.0
_FIELD_OF_SECTION = {
    frame_pb2.SECTION_CATALOGUE: "catalogue",
    frame_pb2.SECTION_GENERATIONS: "activated",
    frame_pb2.SECTION_ITEM_VECTORS: "item_vectors",
    frame_pb2.SECTION_RULES: "rules",
    frame_pb2.SECTION_POPULARITY: "popularity",
    frame_pb2.SECTION_USERS: "users",
}
_log = logger("subscription")


class SubscriptionMetrics:
    """State of all subscribers of a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.streams = Gauge("harken_feed_subscribers", "Open streams.", registry=registry)
        self.sent = Counter("harken_feed_sent", "Frames sent.", registry=registry)
        self.snapshots = Counter("harken_feed_snapshots", "Snapshots sent.", registry=registry)
        self.nacks = Counter(
            "harken_feed_nacks", "Frames refused by subscribers.", ["subscriber"],
            registry=registry,
        )  # fmt: skip
        self.acked = Gauge(
            "harken_feed_acked_version", "Version acked.", ["subscriber"], registry=registry
        )


def without_unwanted(
    frame: frame_pb2.Frame, wanted: frozenset[frame_pb2.Section]
) -> frame_pb2.Frame:
    """Return a frame with the wanted sections only; never the learner's own."""
    if len(wanted) == len(_FIELD_OF_SECTION) and not any(
        changes.HasField("learner") for changes in frame.tenants
    ):
        return frame
    kept = frame_pb2.Frame(
        shard=frame.shard,
        epoch=frame.epoch,
        after_version=frame.after_version,
        version=frame.version,
        through_sequence=frame.through_sequence,
        accepted_at_us=frame.accepted_at_us,
    )
    fields = [field for section, field in _FIELD_OF_SECTION.items() if section in wanted]
    for changes in frame.tenants:
        present = [field for field in fields if changes.HasField(field)]
        if present:
            own = kept.tenants.add(tenant=changes.tenant, item_ids=changes.item_ids)
            for field in present:
                getattr(own, field).CopyFrom(getattr(changes, field))
    return kept


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who listens, and for what."""

    name: str
    sections: frozenset[frame_pb2.Section]
    durable: bool


class FeedServer:
    """Serves the committed feed to subscribers."""

    def __init__(self, hub: FrameHub, store: FrameStore, metrics: SubscriptionMetrics) -> None:
        self._hub = hub
        self._store = store
        self._metrics = metrics
        self._prepared: dict[
            tuple[int, int, frozenset[frame_pb2.Section]], pb.SubscribeResponse
        ] = {}

    async def stream(
        self, subscriber: Subscriber, start: pb.SubscribeStart, acks: "AckTracker"
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """Yield the welcome, a snapshot if asked for, then frames for ever.

        Raises:
            HistoryGoneError: the frames after the resume point are gone.
            EpochLostError: the resume point is ahead of the head, or on another fork.

        """
        head = self._hub.head
        wants_snapshot = start.WhichOneof("from") != "resume"
        if not wants_snapshot:
            await self._check_resume(start.resume)
        welcome = pb.Welcome(
            epoch=head.epoch, head_version=head.version, through_sequence=head.sequence
        )
        for epoch, last in head.forks.items():
            welcome.forks.add(epoch=epoch, last_sequence=last)
        self._metrics.streams.inc()
        try:
            yield pb.SubscribeResponse(welcome=welcome)
            version = start.resume.version
            if wants_snapshot:
                async for response, at in self._snapshot(subscriber):
                    version = at
                    yield response
            async for response in self._frames(subscriber, version, acks):
                yield response
        finally:
            self._metrics.streams.dec()

    async def _check_resume(self, resume: pb.ResumePoint) -> None:
        head = self._hub.head
        if resume.version > head.version:
            raise EpochLostError(
                f"version {resume.version} is ahead of the head {head.version}: "
                "it belongs to a history that was abandoned"
            )
        if resume.version > 0:
            epoch = await self._store.epoch_at(resume.version)
            if epoch is None:
                raise HistoryGoneError(f"version {resume.version} is no longer kept")
            if epoch != resume.epoch:
                raise EpochLostError(
                    f"version {resume.version} was committed in epoch {epoch}, "
                    f"the subscriber has it of epoch {resume.epoch}"
                )
        if resume.version < head.version and self._hub.after(resume.version) is None:
            following = await self._store.frames_after(resume.version)
            if not following:
                raise HistoryGoneError(f"frames after version {resume.version} are gone")

    async def _snapshot(
        self, subscriber: Subscriber
    ) -> AsyncIterator[tuple[pb.SubscribeResponse, int]]:
        checkpoint = await self._store.newest_checkpoint()
        self._metrics.snapshots.inc()
        _log.info("snapshot", subscriber=subscriber.name)
        if checkpoint is None:
            # Nothing was forgotten yet: all of history is in the frames.
            empty = pb.SnapshotChunk(index=0, last=True, content=frame_pb2.Frame())
            empty.content.epoch = self._hub.head.epoch
            yield pb.SubscribeResponse(snapshot_chunk=empty), 0
            return
        pin = await self._store.pin(checkpoint.applied.version)
        try:
            index = 0
            async for content in self._store.checkpoint_chunks(checkpoint):
                chunk = pb.SnapshotChunk(
                    index=index,
                    last=index == checkpoint.chunks - 1,
                    content=without_unwanted(content, subscriber.sections),
                )
                yield pb.SubscribeResponse(snapshot_chunk=chunk), checkpoint.applied.version
                index += 1
        finally:
            # Frames after the checkpoint stay: as a rule for keep_versions, and always until the
            # next checkpoint is written, which is when they would go.
            await self._store.unpin(pin)

    async def _frames(
        self, subscriber: Subscriber, version: int, acks: "AckTracker"
    ) -> AsyncIterator[pb.SubscribeResponse]:
        while True:
            acks.raise_failure()
            frames = self._hub.after(version)
            if frames is None:
                frames = await self._store.frames_after(version)
                if not frames:
                    await self._check_resume(
                        pb.ResumePoint(epoch=self._hub.head.epoch, version=version)
                    )
            for frame in frames:
                version = frame.version
                self._metrics.sent.inc()
                yield self._prepare(frame, subscriber.sections)
            if not frames and not await self._hub.wait_for_news(version, HEARTBEAT_SECONDS):
                head = self._hub.head
                yield pb.SubscribeResponse(
                    heartbeat=pb.Heartbeat(epoch=head.epoch, head_version=head.version)
                )

    def _prepare(
        self, frame: frame_pb2.Frame, sections: frozenset[frame_pb2.Section]
    ) -> pb.SubscribeResponse:
        """Return the message of a frame; made once for all who want the same sections."""
        key = (frame.epoch, frame.version, sections)
        message = self._prepared.get(key)
        if message is None:
            message = pb.SubscribeResponse(frame=without_unwanted(frame, sections))
            self._prepared[key] = message
            if len(self._prepared) > 64:
                del self._prepared[next(iter(self._prepared))]
        return message


class AckTracker:
    """Reads acks and nacks of one subscriber."""

    def __init__(
        self, store: FrameStore, subscriber: Subscriber, metrics: SubscriptionMetrics
    ) -> None:
        self._store = store
        self._subscriber = subscriber
        self._metrics = metrics
        self._acked = 0
        self._noted = 0
        self._reader: asyncio.Task[None] | None = None

    def follow(self, requests: AsyncIterator[pb.SubscribeRequest]) -> None:
        """Read in the background until `close`."""
        self._reader = asyncio.create_task(self._read(requests))

    def raise_failure(self) -> None:
        """Raise what ended the reading, if anything did."""
        if self._reader is not None and self._reader.done() and not self._reader.cancelled():
            self._reader.result()

    async def close(self) -> None:
        """Stop reading, and note the last ack."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._note()

    async def _read(self, requests: AsyncIterator[pb.SubscribeRequest]) -> None:
        acked = self._metrics.acked.labels(self._subscriber.name)
        loop = asyncio.get_running_loop()
        noted_at = 0.0
        async for request in requests:
            if request.HasField("ack"):
                self._acked = max(self._acked, request.ack.version)
                acked.set(self._acked)
                # Retention needs no better than a second; a write per frame would cost a commit.
                if loop.time() - noted_at >= _ACK_SECONDS:
                    noted_at = loop.time()
                    await self._note()
            elif request.HasField("nack"):
                self._metrics.nacks.labels(self._subscriber.name).inc()
                _log.error(
                    "frame refused",
                    subscriber=self._subscriber.name,
                    version=request.nack.version,
                    reason=request.nack.reason[:1024],
                )

    async def _note(self) -> None:
        if self._subscriber.durable and self._acked > self._noted:
            await self._store.note_ack(self._subscriber.name, self._acked)
            self._noted = self._acked


def wanted_sections(sections: Sequence[frame_pb2.Section]) -> frozenset[frame_pb2.Section]:
    """Return the sections asked for; all when none is named."""
    return frozenset(sections) or frozenset(_FIELD_OF_SECTION)
