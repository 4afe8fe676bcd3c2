"""EmbeddingService: the feed out, a backend's own vectors in."""

from collections.abc import AsyncIterator

import grpc

from harken.feedback.v1 import embedding_service_pb2 as pb
from harken.feedback.v1 import embedding_service_pb2_grpc, frame_pb2
from services.common.validation import Checks
from services.feedback.embedding_conversion import embedding_fault, logged_embedding
from services.feedback.store.embedding_store import EmbeddingStore
from services.feedback.store.frame_store import FrameStore
from services.feedback.store.tenant_registry import TenantRegistry
from services.feedback.subscription import (
    AckTracker,
    FeedServer,
    Subscriber,
    SubscriptionMetrics,
    wanted_sections,
)

_MAX_EMBEDDINGS = 1000


class EmbeddingServicer(embedding_service_pb2_grpc.EmbeddingServiceServicer):
    """Streams the feed and takes vectors."""

    def __init__(
        self,
        tenants: TenantRegistry,
        store: EmbeddingStore,
        feed: FeedServer,
        frames: FrameStore,
        metrics: SubscriptionMetrics,
    ) -> None:
        self._tenants = tenants
        self._store = store
        self._feed = feed
        self._frames = frames
        self._metrics = metrics

    async def Subscribe(  # noqa: N802
        self, requests: AsyncIterator[pb.SubscribeRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """See embedding_service.proto."""
        first = await anext(aiter(requests), pb.SubscribeRequest())
        subscriber = _check_start(first)
        if subscriber.durable and first.start.WhichOneof("from") == "resume":
            await self._frames.note_ack(subscriber.name, first.start.resume.version)
        acks = AckTracker(self._frames, subscriber, self._metrics)
        acks.follow(requests)
        try:
            async for response in self._feed.stream(subscriber, first.start, acks):
                yield response
        finally:
            await acks.close()

    async def PutEmbeddings(  # noqa: N802
        self, request: pb.PutEmbeddingsRequest, context: grpc.aio.ServicerContext
    ) -> pb.PutEmbeddingsResponse:
        """See embedding_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("embeddings", len(request.embeddings), 1, _MAX_EMBEDDINGS)
        checks.done()
        await self._tenants.require(tenant)
        generation = await self._store.active_generation(tenant, request.generation_id)
        known = await self._store.known_items(
            tenant, {one.item_id for one in request.embeddings if one.HasField("item_id")}
        )
        faults = [embedding_fault(one, generation, known) for one in request.embeddings]
        sound = [
            logged_embedding(one, generation)
            for one, fault in zip(request.embeddings, faults, strict=True)
            if fault is None
        ]
        position = await self._store.append(tenant, sound) if sound else None
        results = []
        for ordinal, fault in enumerate(faults):
            kind, detail = fault or (pb.EMBEDDING_FAULT_UNSPECIFIED, "")
            results.append(pb.EmbeddingResult(ordinal=ordinal, fault=kind, detail=detail))
        return pb.PutEmbeddingsResponse(
            results=results, position=position.encode() if position else b""
        )


def _check_start(first: pb.SubscribeRequest) -> Subscriber:
    checks = Checks()
    start = first.start
    if not first.HasField("start"):
        checks.fail("start", "must be the first message")
    else:
        checks.id("start.subscriber", start.subscriber)
        if start.shard != 0:
            checks.fail("start.shard", "there is only shard 0")
        for index, section in enumerate(start.sections):
            if section not in frame_pb2.Section.values() or not section:
                checks.fail(f"start.sections[{index}]", f"{section} is not a section")
    checks.done()
    return Subscriber(start.subscriber, wanted_sections(start.sections), start.durable)
