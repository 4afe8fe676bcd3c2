"""Acks and nacks of subscribers; those of durable ones decide what is kept."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.feedback.v1 import embedding_service_pb2 as pb
from services.common.logs import logger
from services.feedback.feed.frame_hub import FrameHub
from services.feedback.feed.subscriber import Subscriber
from services.feedback.store.frame_store import FrameStore

_ACK_SECONDS = 1.0
_OTHERS = "others"
_log = logger("acks")


class AckMetrics:
    """What subscribers said. Labels are the configured names, so that clients cannot add any."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.nacks = Counter(
            "harken_feed_nacks", "Frames that subscribers refused.", ["subscriber"],
            registry=registry,
        )  # fmt: skip
        self.acked = Gauge(
            "harken_feed_acked_version",
            "Newest version that a subscriber acked.",
            ["subscriber"],
            registry=registry,
        )


class AckBook:
    """Opens a tracker per stream."""

    def __init__(
        self,
        hub: FrameHub,
        store: FrameStore,
        registry: CollectorRegistry,
        acks: Mapping[str, int],
    ) -> None:
        """`acks`: what durable subscribers have; metrics know of them before they come."""
        self._hub = hub
        self._store = store
        self._metrics = AckMetrics(registry)
        for subscriber, version in acks.items():
            self._metrics.acked.labels(subscriber).set(version)

    def track(self, subscriber: Subscriber) -> "AckTracker":
        """Return the tracker of a new stream."""
        return AckTracker(self._hub, self._store, subscriber, self._metrics)


class AckTracker:
    """Reads acks and nacks of one subscriber."""

    def __init__(
        self, hub: FrameHub, store: FrameStore, subscriber: Subscriber, metrics: AckMetrics
    ) -> None:
        self._hub = hub
        self._store = store
        self._subscriber = subscriber
        label = subscriber.name if subscriber.durable else _OTHERS
        self._acked_gauge = metrics.acked.labels(label)
        self._nacks = metrics.nacks.labels(label)
        self._acked = 0
        self._noted = 0
        self._reader: asyncio.Task[None] | None = None

    async def begin(
        self, start: pb.SubscribeStart, requests: AsyncIterator[pb.SubscribeRequest]
    ) -> None:
        """Read in the background until `close`. A resume point stands for an ack."""
        self._acked = min(start.resume.version, self._hub.head.version)
        if self._subscriber.durable:
            # From now on frames are kept for it.
            await self._store.note_ack(self._subscriber.name, self._acked)
            self._noted = self._acked
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
        loop = asyncio.get_running_loop()
        noted_at = 0.0
        async for request in requests:
            if request.HasField("ack"):
                # Nobody can have applied what was not committed.
                self._acked = max(self._acked, min(request.ack.version, self._hub.head.version))
                self._acked_gauge.set(self._acked)
                # Retention needs no better than a second; a write per frame would cost a commit.
                if loop.time() - noted_at >= _ACK_SECONDS:
                    noted_at = loop.time()
                    await self._note()
            elif request.HasField("nack"):
                self._nacks.inc()
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
