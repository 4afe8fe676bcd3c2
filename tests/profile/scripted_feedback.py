"""A feedback service that plays a script: a real gRPC server, with no log behind it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from harken.internal.facts.v1 import user_fact_service_pb2 as fact
from harken.internal.facts.v1 import user_fact_service_pb2_grpc
from harken.internal.feed.v1 import entries_pb2, feed_service_pb2_grpc, frame_pb2
from harken.internal.feed.v1 import feed_service_pb2 as feed
from services.common.errors import (
    EpochLostError,
    FieldViolation,
    HarkenError,
    HistoryGoneError,
    InvalidRequestError,
    OverloadedError,
)
from services.common.status import status_of
from tests.scripted_server import scripted_server

UserRevision = tuple[str, bytes, int]


class ScriptedFeedback(
    feed_service_pb2_grpc.FeedServiceServicer,
    user_fact_service_pb2_grpc.UserFactServiceServicer,
):
    """Streams `entries` and `frames`, and remembers what it is told."""

    def __init__(self) -> None:
        self.entries: list[entries_pb2.Entries] = []
        self.frames: list[frame_pb2.Frame] = []
        self.forks: dict[int, int] = {}
        self.epoch = 1
        self.follows: list[feed.FollowEntriesRequest] = []
        self.starts: list[feed.SubscribeStart] = []
        self.nacks: list[feed.Nack] = []
        self.hidden = 0
        """Of the newest entries so many are known to be there, and not sent."""
        self.kept_after = 0
        """Frames up to this version are forgotten."""
        self.facts: list[tuple[UserRevision, dict[str, Any]]] = []
        """Facts that were new, in the order of their arrival."""
        self.fact_calls = 0
        self.unknown_tenants: set[str] = set()
        self.refused_keys: set[bytes] = set()
        self.lose_answers = 0
        """So many answers to AppendUserFacts get lost after the facts were taken."""
        self.shed = 0
        self.told_seconds = 0.0
        """So many calls of AppendUserFacts are shed, and told to come back so much later."""
        self.fact_times: list[float] = []
        self.resend = 0
        """How many stretches before its resume point the next stream of entries sends again."""
        self.target = ""
        self._changed = asyncio.Event()
        self._breaks = 0
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = scripted_server()
        feed_service_pb2_grpc.add_FeedServiceServicer_to_server(self, self._server)
        user_fact_service_pb2_grpc.add_UserFactServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(self.target or "127.0.0.1:0")
        self.target = f"127.0.0.1:{port}"
        await self._server.start()

    async def stop(self) -> None:
        """Be away."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def publish(self, *entries: entries_pb2.Entries) -> None:
        """Append to the log."""
        self.entries.extend(entries)
        self._tell_streams()

    def learn(self, *frames: frame_pb2.Frame) -> None:
        """Append frames to the feed."""
        self.frames.extend(frames)
        self._tell_streams()

    def break_streams(self) -> None:
        """Cut every stream."""
        self._breaks += 1
        self._tell_streams()

    def _tell_streams(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _head(self) -> int:
        return self.frames[-1].version if self.frames else self.kept_after

    def _last(self) -> int:
        return self.entries[-1].through_sequence if self.entries else 0

    def _forked(self) -> list[feed.Fork]:
        return [feed.Fork(epoch=epoch, last_sequence=last) for epoch, last in self.forks.items()]

    async def FollowEntries(  # noqa: N802
        self, request: feed.FollowEntriesRequest, context: Any
    ) -> AsyncIterator[feed.FollowEntriesResponse]:
        self.follows.append(request)
        point = request.resume
        last = self.forks.get(point.epoch, self._last())
        if point.sequence > last:
            await _fail(context, EpochLostError("the point is not part of the log"))
        yield feed.FollowEntriesResponse(
            welcome=feed.EntriesWelcome(
                epoch=self.epoch,
                head_sequence=self._last(),
                after_sequence=point.sequence,
                forks=self._forked(),
            )
        )
        sent = point.sequence
        if self.resend:
            whole = [one for one in self.entries if one.through_sequence <= sent]
            sent = whole[-self.resend].after_sequence if len(whole) >= self.resend else 0
            self.resend = 0
        breaks = self._breaks
        while True:
            changed = self._changed
            if breaks != self._breaks:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            shown = self.entries[: len(self.entries) - self.hidden]
            for one in [one for one in shown if one.through_sequence > sent]:
                # A point in the middle of a stretch: what comes after it.
                begun = one if one.after_sequence >= sent else cut(one, sent)
                sent = one.through_sequence
                yield feed.FollowEntriesResponse(entries=begun)
            if not await _waited(changed):
                yield feed.FollowEntriesResponse(
                    heartbeat=feed.EntriesHeartbeat(epoch=self.epoch, head_sequence=self._last())
                )

    async def Subscribe(  # noqa: N802
        self, request_iterator: AsyncIterator[feed.SubscribeRequest], context: Any
    ) -> AsyncIterator[feed.SubscribeResponse]:
        messages = aiter(request_iterator)
        start = (await anext(messages)).start
        self.starts.append(start)
        sent = self._head() if start.HasField("newest") else start.resume.version
        if sent < self.kept_after:
            await _fail(context, HistoryGoneError("frames are gone"))
        if sent > self._head() or start.resume.epoch in self.forks:
            await _fail(context, EpochLostError("the point is not part of the feed"))
        yield feed.SubscribeResponse(
            welcome=feed.Welcome(
                epoch=self.epoch,
                head_version=self._head(),
                through_sequence=self.frames[-1].through_sequence if self.frames else 0,
                forks=self._forked(),
            )
        )
        breaks = self._breaks
        listener = asyncio.create_task(self._listen(messages))
        try:
            while True:
                changed = self._changed
                if breaks != self._breaks:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
                for frame in [f for f in self.frames if f.version > sent]:
                    sent = frame.version
                    yield feed.SubscribeResponse(frame=frame)
                if not await _waited(changed):
                    yield feed.SubscribeResponse(
                        heartbeat=feed.Heartbeat(epoch=self.epoch, head_version=self._head())
                    )
        finally:
            listener.cancel()

    async def _listen(self, messages: AsyncIterator[feed.SubscribeRequest]) -> None:
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.UsageError):
            async for message in messages:
                if message.HasField("nack"):
                    self.nacks.append(message.nack)

    async def AppendUserFacts(  # noqa: N802
        self, request: fact.AppendUserFactsRequest, context: Any
    ) -> fact.AppendUserFactsResponse:
        self.fact_calls += 1
        self.fact_times.append(asyncio.get_running_loop().time())
        if self.shed > 0:
            self.shed -= 1
            status = status_of(OverloadedError("busy", self.told_seconds))
            await context.abort_with_status(rpc_status.to_status(status))
        if request.tenant in self.unknown_tenants:
            await self._unknown_tenant(context)
        refused = [
            FieldViolation(f"facts[{index}].revision", "as the test says")
            for index, given in enumerate(request.facts)
            if given.user_key in self.refused_keys
        ]
        if refused:
            status = status_of(InvalidRequestError(refused))
            await context.abort_with_status(rpc_status.to_status(status))
        last = {(tenant, key): revision for (tenant, key, revision), _ in self.facts}
        appended = 0
        for given in request.facts:
            owner = (request.tenant, given.user_key)
            if given.revision > last.get(owner, 0):
                last[owner] = given.revision
                attributes = json_format.MessageToDict(given.attributes)
                self.facts.append(((*owner, given.revision), attributes))
                appended += 1
        if self.lose_answers > 0:
            self.lose_answers -= 1
            await context.abort(grpc.StatusCode.INTERNAL, "the answer got lost")
        return fact.AppendUserFactsResponse(appended=appended)

    async def _unknown_tenant(self, context: Any) -> None:
        status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="no catalogue yet")
        status.details.add().Pack(
            error_details_pb2.ErrorInfo(reason="UNKNOWN_TENANT", domain="harken")
        )
        wire = rpc_status.to_status(status)
        await context.abort(wire.code, wire.details, wire.trailing_metadata)


async def _fail(context: Any, error: HarkenError) -> None:
    await context.abort_with_status(rpc_status.to_status(status_of(error)))


async def _waited(changed: asyncio.Event) -> bool:
    """Return whether it was set within a second."""
    try:
        async with asyncio.timeout(1.0):
            await changed.wait()
    except TimeoutError:
        return False
    return True


def cut(entries: entries_pb2.Entries, after: int) -> entries_pb2.Entries:
    """Return what of a stretch of events comes after a sequence."""
    begun = entries_pb2.Entries()
    begun.CopyFrom(entries)
    begun.after_sequence = after
    moved = after - entries.after_sequence
    for own in begun.tenants:
        assert not own.HasField("retracted")
        assert not own.vectors
        events = own.events
        kept = [n for n, offset in enumerate(events.sequence_offsets) if offset > moved]
        for name in ("users", "items", "types", "time_offsets_us", "accepted_offsets_us"):
            column = getattr(events, name)
            column[:] = [column[n] for n in kept]
        events.sequence_offsets[:] = [events.sequence_offsets[n] - moved for n in kept]
        for name, width in (("values", 8), ("weights", 4)):
            data = getattr(events, name)
            rows = [data[n * width : n * width + width] for n in kept] if data else []
            setattr(events, name, b"".join(rows))
    return begun
