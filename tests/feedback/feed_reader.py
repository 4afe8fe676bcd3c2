"""A plain subscriber of the feed: reads messages, acks when told."""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import frame_pb2
from tests.feedback.conftest import Client


class FeedReader:
    """One stream."""

    def __init__(self, client: Client, **start: Any) -> None:
        """`start`: fields of SubscribeStart; snapshot may be True."""
        self._call = client.feed.Subscribe()
        if start.get("snapshot") is True:
            start["snapshot"] = pb.FromSnapshot()
        self._start = pb.SubscribeStart(**{"subscriber": "reader", **start})

    async def __aenter__(self) -> Self:
        await self._call.write(pb.SubscribeRequest(start=self._start))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()

    async def read(self, kind: str, seconds: float = 20.0) -> Any:
        """Return the next message, which must be of this kind; heartbeats are passed over."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self._call.read()
                if message is None or not hasattr(message, "WhichOneof"):
                    raise AssertionError("the stream ended")
                if message.HasField("heartbeat") and kind != "heartbeat":
                    continue
                assert message.HasField(kind), f"wanted {kind}, got {message}"
                return getattr(message, kind)

    async def ack(self, version: int) -> None:
        await self._call.write(pb.SubscribeRequest(ack=pb.Ack(version=version)))

    async def nack(self, version: int, reason: str) -> None:
        nack = pb.Nack(version=version, reason=reason)
        await self._call.write(pb.SubscribeRequest(nack=nack))

    async def frames_through(self, sequence: int) -> list[frame_pb2.Frame]:
        """Return frames up to the one that reflects a sequence."""
        frames: list[frame_pb2.Frame] = []
        while not frames or frames[-1].through_sequence < sequence:
            frames.append(await self.read("frame"))
        return frames

    async def snapshot(self) -> list[pb.SnapshotChunk]:
        """Return the chunks of a snapshot."""
        chunks: list[pb.SnapshotChunk] = []
        while not chunks or not chunks[-1].last:
            chunks.append(await self.read("snapshot_chunk"))
        return chunks


def events_in(frames: Sequence[frame_pb2.Frame]) -> list[tuple[int, str, str]]:
    """Return (sequence, user key, item id) of all events in frames, in order."""
    found = []
    for frame in frames:
        for changes in frame.tenants:
            users = changes.users
            for user, item, sequence in zip(
                users.event_users, users.event_items, users.event_sequences, strict=True
            ):
                found.append((sequence, users.user_keys[user].decode(), changes.item_ids[item]))
    return found
