"""Calls of a running suite, short enough for tests."""

import asyncio
import contextlib
import hashlib
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import numpy as np

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import (
    catalog_service_pb2,
    embedding_service_pb2,
    event_pb2,
    feedback_service_pb2,
    item_pb2,
)
from harken.feedback.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from harken.internal.feed.v1 import feed_service_pb2
from harken.internal.feed.v1.feed_service_pb2_grpc import FeedServiceStub
from harken.internal.slates.v1.slate_service_pb2_grpc import SlateServiceStub
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.clients import Clients, connect
from services.cli.suite import Suite
from services.common.channels import open_channel
from tests.packed_steps import unpacked_steps


def user(name: str) -> subject_pb2.Subject:
    return subject_pb2.Subject(user_id=name)


def event(name: str, who: str, item: str, kind: str = "play", **fields: Any) -> event_pb2.Event:
    return event_pb2.Event(event_id=name, subject=user(who), item_id=item, type=kind, **fields)


class Caller:
    """One client of a suite."""

    def __init__(self, clients: Clients, channel: grpc.aio.Channel | None) -> None:
        """`channel` to feedback, for what only our processes call."""
        self.clients = clients
        if channel is not None:
            self.slates: Any = SlateServiceStub(channel)
            self._feed: Any = FeedServiceStub(channel)
            self._embeddings: Any = EmbeddingServiceStub(channel)

    async def upsert(self, *items: item_pb2.Item, tenant: str = "") -> bytes:
        request = catalog_service_pb2.UpsertItemsRequest(tenant=tenant, items=items)
        return (await self.clients.catalog.UpsertItems(request)).position

    async def delete(self, *item_ids: str) -> bytes:
        request = catalog_service_pb2.DeleteItemsRequest(item_ids=item_ids)
        return (await self.clients.catalog.DeleteItems(request)).position

    async def record(self, *events: event_pb2.Event, tenant: str = "") -> bytes:
        request = feedback_service_pb2.RecordEventsRequest(tenant=tenant, events=events)
        answer = await self.clients.feedback.RecordEvents(request)
        for result in answer.results:
            fine = (event_pb2.EVENT_OUTCOME_ACCEPTED, event_pb2.EVENT_OUTCOME_DUPLICATE)
            assert result.outcome in fine, result
        return answer.position

    async def put(self, *embeddings: embedding_service_pb2.Embedding) -> bytes:
        request = embedding_service_pb2.PutEmbeddingsRequest(embeddings=embeddings)
        answer = await self._embeddings.PutEmbeddings(request)
        assert not any(result.fault for result in answer.results), answer
        return bytes(answer.position)

    async def slate(
        self,
        who: str,
        position: bytes = b"",
        count: int = 10,
        replica: int = 0,
        learned: bool = True,
        **fields: Any,
    ) -> ranker_service_pb2.RecommendResponse:
        """Return a slate that reflects a position, if `learned` in what was learned, too."""
        request = ranker_service_pb2.RecommendRequest(
            subject=user(who), count=count, min_position=position, strict=bool(position), **fields
        )
        if learned:
            request.min_learned_position = position
        request.wait_budget.FromSeconds(10)
        return await self.clients.rankers[replica].Recommend(
            request, wait_for_ready=True, timeout=30
        )

    async def items(self, who: str, position: bytes = b"", **fields: Any) -> list[str]:
        return [slot.item_id for slot in (await self.slate(who, position, **fields)).slots]

    async def profile(self, who: str, position: bytes) -> profile_service_pb2.GetProfileResponse:
        request = profile_service_pb2.GetProfileRequest(
            subject=user(who), min_position=position, strict=True, include_seen=True
        )
        request.wait_budget.FromSeconds(10)
        return await self.clients.profile.GetProfile(request, wait_for_ready=True, timeout=30)

    async def state(self, replica: int = 0) -> ranker_service_pb2.GetServingStateResponse:
        request = ranker_service_pb2.GetServingStateRequest()
        return await self.clients.rankers[replica].GetServingState(
            request, wait_for_ready=True, timeout=30
        )

    async def fold_of_feed(self, version: int, tenant: str = "default") -> bytes | None:
        """Return the digest of what the feed says up to a version, by the plainest of folds.

        None when frames that were merged lead beyond it: then a newer version is to be asked for.
        """
        fold = FoldOfFeed(tenant)
        call = self._feed.Subscribe()
        start = feed_service_pb2.SubscribeStart(
            subscriber="oracle", snapshot=feed_service_pb2.FromSnapshot()
        )
        reached = -1
        try:
            async with asyncio.timeout(30):
                await call.write(feed_service_pb2.SubscribeRequest(start=start))
                while reached < version:
                    message = await call.read()
                    assert message is not grpc.aio.EOF, "the feed ended"
                    if message.HasField("snapshot_chunk"):
                        frame = message.snapshot_chunk.content
                        reached = frame.version if message.snapshot_chunk.last else -1
                    elif message.HasField("frame"):
                        frame = message.frame
                        reached = frame.version
                    else:
                        continue
                    fold.take(frame)
        finally:
            call.cancel()
        if reached != version:
            return None
        return fold.digest()

    def follow_entries(self, request: feed_service_pb2.FollowEntriesRequest) -> Any:
        """Return a call of FollowEntries."""
        return self._feed.FollowEntries(request)

    def subscribe(self) -> Any:
        """Return a call of Subscribe, not begun yet."""
        return self._feed.Subscribe()


class FoldOfFeed:
    """What the feed says about item vectors, by the plainest of folds: by generation and item."""

    def __init__(self, tenant: str = "default") -> None:
        self._tenant = tenant
        self.active = ""
        # A snapshot holds vectors of deleted items, too, in later chunks than their ids.
        self._gone: set[str] = set()
        self.vectors: dict[str, dict[str, tuple[bytes, bytes]]] = {}

    def take(self, frame: Any) -> None:
        for changes in frame.tenants:
            if changes.tenant != self._tenant:
                continue
            for gone in changes.retired_generation_ids:
                self.vectors.pop(gone, None)
            if changes.HasField("activated"):
                self.active = changes.activated.generation_id
            for rows in (changes.item_vectors, *changes.other_item_vectors):
                self._set(changes, rows)
            self._gone.difference_update(item.item_id for item in changes.catalogue.items)
            self._gone.update(changes.catalogue.deleted_item_ids)
            for item_id in changes.catalogue.deleted_item_ids:
                for vectors in self.vectors.values():
                    vectors.pop(item_id, None)

    def _set(self, changes: Any, rows: Any) -> None:
        if not rows.items:
            return
        vectors = self.vectors.setdefault(rows.generation_id, {})
        own, biases = _whole(rows), rows.biases
        width = len(own) // len(rows.items)
        for row, index in enumerate(rows.items):
            vectors[changes.item_ids[index]] = (
                own[row * width : (row + 1) * width],
                biases[row * 4 : (row + 1) * 4],
            )

    def digest(self) -> bytes:
        """Return the digest that a replica should have."""
        digest = hashlib.sha256()
        serving = self.vectors[self.active]
        for item_id in sorted(serving.keys() - self._gone):
            digest.update(item_id.encode() + serving[item_id][0] + serving[item_id][1])
        return digest.digest()


def _whole(rows: Any) -> bytes:
    """Return float32 vectors, row after row."""
    if not rows.steps:
        return bytes(rows.vectors)
    steps = unpacked_steps(rows)
    # A double holds the product of two floats, so this rounds once, as float32 does.
    return b"".join(struct.pack("<f", step * rows.unit) for step in steps)


@contextlib.asynccontextmanager
async def caller_of(suite: Suite) -> AsyncIterator[Caller]:
    async with (
        connect(suite.endpoints) as clients,
        # Not with gRPC's own pauses: after a few kills it does not even try for two minutes.
        open_channel(suite.endpoints.feedback, identity=suite.endpoints.identity) as channel,
    ):
        yield Caller(clients, channel)


def catalogue(count: int = 60) -> list[item_pb2.Item]:
    """Return items in three clear groups."""
    groups = ("space", "romance", "crime")
    return [
        item_pb2.Item(
            item_id=f"{groups[n % 3]}-{n}",
            title=f"{groups[n % 3]} film",
            categories=[groups[n % 3]],
        )
        for n in range(count)
    ]


def unit(values: Sequence[float]) -> list[float]:
    vector = np.asarray(values, np.float32)
    return list((vector / np.linalg.norm(vector)).tolist())
