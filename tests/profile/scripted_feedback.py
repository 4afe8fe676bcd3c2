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
from harken.internal.feed.v1 import feed_service_pb2 as feed
from harken.internal.feed.v1 import feed_service_pb2_grpc, frame_pb2
from services.common.errors import FieldViolation, InvalidRequestError, OverloadedError
from services.common.status import status_of
from tests.scripted_server import scripted_server, unscripted

UserRevision = tuple[str, bytes, int]


class ScriptedFeedback(
    feed_service_pb2_grpc.FeedServiceServicer,
    user_fact_service_pb2_grpc.UserFactServiceServicer,
):
    """Streams `frames`, and remembers what it is told."""

    FollowEntries = unscripted

    def __init__(self) -> None:
        self.frames: list[frame_pb2.Frame] = []
        self.forks: dict[int, int] = {}
        self.epoch = 1
        self.starts: list[feed.SubscribeStart] = []
        self.acks: list[int] = []
        self.nacks: list[feed.Nack] = []
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
        """How many frames before its resume point the next stream sends again."""
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

    def publish(self, *frames: frame_pb2.Frame) -> None:
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
        return self.frames[-1].version if self.frames else 0

    def highest_ack(self) -> int:
        return max(self.acks, default=0)

    async def Subscribe(  # noqa: N802
        self, request_iterator: AsyncIterator[feed.SubscribeRequest], context: Any
    ) -> AsyncIterator[feed.SubscribeResponse]:
        messages = aiter(request_iterator)
        start = (await anext(messages)).start
        self.starts.append(start)
        yield feed.SubscribeResponse(
            welcome=feed.Welcome(
                epoch=self.epoch,
                head_version=self._head(),
                forks=[
                    feed.Fork(epoch=epoch, last_sequence=last) for epoch, last in self.forks.items()
                ],
            )
        )
        breaks = self._breaks
        listener = asyncio.create_task(self._listen(messages))
        sent = start.resume.version - self.resend
        self.resend = 0
        try:
            while True:
                changed = self._changed
                if breaks != self._breaks:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
                for frame in [f for f in self.frames if f.version > sent]:
                    sent = frame.version
                    yield feed.SubscribeResponse(frame=frame)
                try:
                    async with asyncio.timeout(1.0):
                        await changed.wait()
                except TimeoutError:
                    yield feed.SubscribeResponse(
                        heartbeat=feed.Heartbeat(epoch=self.epoch, head_version=self._head())
                    )
        finally:
            listener.cancel()

    async def _listen(self, messages: AsyncIterator[feed.SubscribeRequest]) -> None:
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.UsageError):
            async for message in messages:
                if message.HasField("ack"):
                    self.acks.append(message.ack.version)
                elif message.HasField("nack"):
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
