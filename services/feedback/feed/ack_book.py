"""Acks and nacks of subscribers; those of durable ones decide what is kept.

Of several streams of one durable name only the acks of the newest count. The others get frames all
the same: replicas of a subscriber that share one store all follow the feed, and say the same.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.internal.feed.v1 import feed_service_pb2 as pb
from services.common.logs import logger
from services.common.seldom import Seldom
from services.feedback.feed.subscriber import Subscriber
from services.feedback.store.frame_store import FrameStore

_ACK_SECONDS = 1.0
_PAUSE_SECONDS = 0.005
"""Between two messages of one subscriber: faster than frames come, and 200 a second at most."""
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
        self, store: FrameStore, registry: CollectorRegistry, acks: Mapping[str, int]
    ) -> None:
        """`acks`: what durable subscribers have; metrics know of them before they come."""
        self._store = store
        self._metrics = AckMetrics(registry)
        self._refusals = Seldom()
        for subscriber, version in acks.items():
            self._metrics.acked.labels(subscriber).set(version)

    def track(
        self, subscriber: Subscriber, requests: AsyncIterator[pb.SubscribeRequest]
    ) -> "AckTracker":
        """Return the tracker of a new stream."""
        return AckTracker(self._store, subscriber, requests, self._metrics, self._refusals)


class AckTracker:
    """Reads acks and nacks of one stream of a subscriber."""

    def __init__(
        self,
        store: FrameStore,
        subscriber: Subscriber,
        requests: AsyncIterator[pb.SubscribeRequest],
        metrics: AckMetrics,
        refusals: Seldom,
    ) -> None:
        """`refusals`: when a refused frame is logged, of all subscribers together."""
        self._refusals = refusals
        self._store = store
        self._subscriber = subscriber
        self._requests = requests
        label = subscriber.name if subscriber.durable else _OTHERS
        self._acked_gauge = metrics.acked.labels(label)
        self._nacks = metrics.nacks.labels(label)
        self._stream = uuid.uuid4()
        self._sent = 0
        self._asked = 0
        self._noted = 0
        self._reader: asyncio.Task[None] | None = None

    @property
    def _acked(self) -> int:
        """What the stream acked. Nobody can have applied what was never sent to it."""
        return min(self._asked, self._sent)

    async def begin(self, version: int) -> None:
        """Read in the background until `close`.

        `version`: where the stream starts, which was found to be of our history; 0 for a snapshot.
        It counts as sent.
        """
        self._sent = self._asked = self._noted = version
        if self._subscriber.durable:
            await self._store.claim(self._subscriber.name, self._stream, version)
        self._reader = asyncio.create_task(self._read(self._requests))

    def sent(self, version: int) -> None:
        """Note that the stream is about to get all up to a version."""
        self._sent = max(self._sent, version)

    def raise_failure(self) -> None:
        """Raise what ended the reading, if anything did."""
        if self._reader is not None and self._reader.done() and not self._reader.cancelled():
            self._reader.result()

    async def close(self) -> None:
        """Stop reading, and note the last ack. Nothing to do when it never began."""
        if self._reader is None:
            return
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._note()
        if self._subscriber.durable:
            await self._store.release_claim(self._subscriber.name, self._stream)

    async def _read(self, requests: AsyncIterator[pb.SubscribeRequest]) -> None:
        loop = asyncio.get_running_loop()
        noted_at = 0.0
        async for request in requests:
            if request.HasField("ack"):
                self._asked = max(self._asked, request.ack.version)
                self._acked_gauge.set(self._acked)
                # Retention needs no better than a second; a write per frame would cost a commit.
                if loop.time() - noted_at >= _ACK_SECONDS:
                    noted_at = loop.time()
                    await self._note()
            elif request.HasField("nack"):
                self._nacks.inc()
                left_out = self._refusals.due()
                if left_out is not None:
                    _log.error(
                        "frame refused",
                        subscriber=self._subscriber.name,
                        version=request.nack.version,
                        reason=request.nack.reason[:1024],
                        left_out=left_out,
                    )
            # gRPC holds back a sender whose messages are not read.
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _note(self) -> None:
        acked = self._acked
        if (
            self._subscriber.durable
            and acked > self._noted
            and await self._store.note_ack(self._subscriber.name, self._stream, acked)
        ):
            self._noted = acked
