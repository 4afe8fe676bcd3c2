"""A plain subscriber of the feed: reads messages, acks when told."""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

from harken.internal.feed.v1 import entries_pb2, frame_pb2
from harken.internal.feed.v1 import feed_service_pb2 as pb
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


class EntriesReader:
    """One stream of entries."""

    def __init__(self, client: Client, **request: Any) -> None:
        """`request`: fields of FollowEntriesRequest; from the beginning of the log, unless said."""
        if not {"resume", "newest"} & request.keys():
            request["resume"] = pb.EntryPoint()
        self._call = client.feed.FollowEntries(
            pb.FollowEntriesRequest(**{"subscriber": "reader", **request})
        )

    async def __aenter__(self) -> Self:
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

    async def through(self, sequence: int) -> list[entries_pb2.Entries]:
        """Return the stretches up to a sequence."""
        found: list[entries_pb2.Entries] = []
        while not found or found[-1].through_sequence < sequence:
            found.append(await self.read("entries"))
        return found


def events_in(stretches: Sequence[entries_pb2.Entries]) -> list[tuple[int, str, str]]:
    """Return (sequence, user key, item id) of all events, in order."""
    return [
        (one.after_sequence + offset, own.user_keys[user].decode(), own.item_ids[item])
        for one in stretches
        for own in one.tenants
        for user, item, offset in zip(
            own.events.users, own.events.items, own.events.sequence_offsets, strict=True
        )
    ]
