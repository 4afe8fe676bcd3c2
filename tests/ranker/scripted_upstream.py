"""Feedback and profile as a script: real gRPC servers that answer what a test says."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from prometheus_client import CollectorRegistry

from harken.feedback.v1 import (
    generation_service_pb2,
    generation_service_pb2_grpc,
)
from harken.internal.feed.v1 import feed_service_pb2, feed_service_pb2_grpc, frame_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2, profile_service_pb2_grpc
from services.common.call_limits import CallLimits
from services.common.errors import EpochLostError, NotReadyError
from services.common.position import Position, decode_position
from services.common.reloadable import Reloadable
from services.common.rpc_interceptor import RpcInterceptor
from services.common.rpc_metrics import RpcMetrics
from services.common.user_key import Pseudonyms
from services.feed.entries import Entries
from services.feed.entries_codec import encode
from services.ranker.profile_probe import PROBE
from tests.ranker.entries import Told, stretch
from tests.ranker.generations import generation_files, manifest
from tests.scripted_server import scripted_server, unscripted

HEARTBEAT_SECONDS = 0.1


class ScriptedFeedback(
    feed_service_pb2_grpc.FeedServiceServicer,
    generation_service_pb2_grpc.GenerationServiceServicer,
):
    """A feed whose lanes grow by `add` and `tell`, and one set of generation files."""

    ListGenerations = PublishGeneration = unscripted
    PromoteGeneration = RollbackGeneration = unscripted

    def __init__(self) -> None:
        self.frames: list[frame_pb2.Frame] = []
        self.snapshot: list[frame_pb2.Frame] = []
        self.entries: list[Entries] = []
        self.base_sequence = 0
        self._entries_held = False
        self._entries_away = False
        self.entry_starts: list[feed_service_pb2.FollowEntriesRequest] = []
        self.forks: dict[int, int] = {}
        self.epoch = 1
        self.lost_epoch = False
        self.lost_version = False
        self.starts: list[feed_service_pb2.SubscribeStart] = []
        self.nacks: list[feed_service_pb2.Nack] = []
        self.files = generation_files()
        self.downloads = 0
        self._changed = asyncio.Event()

    @property
    def head(self) -> int:
        return self.frames[-1].version if self.frames else 0

    @property
    def sequence(self) -> int:
        """The newest entry of the log."""
        return self.entries[-1].through_sequence if self.entries else self.base_sequence

    def add(self, *frames: frame_pb2.Frame) -> None:
        """Publish frames. What they reflect of the log without its being told says nothing."""
        for frame in frames:
            missing = frame.through_sequence - self.sequence
            if missing > 0:
                self.entries.append(stretch(self.sequence, length=missing, epoch=self.epoch))
        self.frames.extend(frames)
        self._wake()

    def tell(self, *told: Told) -> int:
        """Add a stretch to the log; return the sequence that it ends with."""
        self.entries.append(stretch(self.sequence, *told, epoch=self.epoch))
        self._wake()
        return self.sequence

    def set_entries_away(self, away: bool) -> None:
        """Break the streams of entries, and refuse new ones, until told otherwise."""
        self._entries_away = away
        self._wake()

    def hold_entries(self) -> None:
        """Tell how far the log is, and send none of it."""
        self._entries_held = True

    def release_entries(self) -> None:
        self._entries_held = False
        self._wake()

    def _check_entries(self) -> None:
        if self._entries_away:
            raise NotReadyError("the script says so")

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def FollowEntries(  # noqa: N802
        self,
        request: feed_service_pb2.FollowEntriesRequest,
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[feed_service_pb2.FollowEntriesResponse]:
        self.entry_starts.append(request)
        self._check_entries()
        after = self.sequence
        if request.HasField("resume"):
            if self.lost_epoch and request.resume.epoch < self.epoch:
                raise EpochLostError("the script says so")
            after = request.resume.sequence
        welcome = feed_service_pb2.EntriesWelcome(
            epoch=self.epoch, head_sequence=self.sequence, after_sequence=after
        )
        for epoch, last in self.forks.items():
            welcome.forks.add(epoch=epoch, last_sequence=last)
        yield feed_service_pb2.FollowEntriesResponse(welcome=welcome)
        while True:
            changed = self._changed
            self._check_entries()
            held = self._entries_held
            for one in [one for one in self.entries if one.after_sequence >= after and not held]:
                after = one.through_sequence
                yield feed_service_pb2.FollowEntriesResponse(entries=encode(one))
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await changed.wait()
            except TimeoutError:
                heartbeat = feed_service_pb2.EntriesHeartbeat(
                    epoch=self.epoch, head_sequence=self.sequence
                )
                yield feed_service_pb2.FollowEntriesResponse(heartbeat=heartbeat)

    async def Subscribe(  # noqa: N802
        self,
        requests: AsyncIterator[feed_service_pb2.SubscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[feed_service_pb2.SubscribeResponse]:
        start = (await anext(requests)).start
        self.starts.append(start)
        if self.lost_epoch and start.WhichOneof("from") == "resume":
            raise EpochLostError("the script says so")
        if self.lost_version and start.WhichOneof("from") == "resume":
            self.lost_version = False
            raise EpochLostError("the script says so, once")
        listener = asyncio.create_task(self._listen(requests))
        try:
            yield self._welcome()
            sent = start.resume.version
            if start.HasField("snapshot"):
                chunks = self.snapshot or [frame_pb2.Frame(epoch=self.epoch)]
                for index, content in enumerate(chunks):
                    response = feed_service_pb2.SubscribeResponse()
                    response.snapshot_chunk.index = index
                    response.snapshot_chunk.last = index == len(chunks) - 1
                    response.snapshot_chunk.content.CopyFrom(content)
                    yield response
                sent = chunks[-1].version
            while True:
                changed = self._changed
                for frame in [frame for frame in self.frames if frame.version > sent]:
                    sent = frame.version
                    yield feed_service_pb2.SubscribeResponse(frame=frame)
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    response = feed_service_pb2.SubscribeResponse()
                    response.heartbeat.epoch = self.epoch
                    response.heartbeat.head_version = self.head
                    yield response
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    def _welcome(self) -> feed_service_pb2.SubscribeResponse:
        response = feed_service_pb2.SubscribeResponse()
        response.welcome.epoch = self.epoch
        response.welcome.head_version = self.head
        for epoch, last in self.forks.items():
            response.welcome.forks.add(epoch=epoch, last_sequence=last)
        return response

    async def _listen(self, requests: AsyncIterator[feed_service_pb2.SubscribeRequest]) -> None:
        async for request in requests:
            self.nacks.append(request.nack)

    async def DownloadGeneration(  # noqa: N802
        self,
        request: generation_service_pb2.DownloadGenerationRequest,
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[generation_service_pb2.DownloadGenerationResponse]:
        self.downloads += 1
        yield generation_service_pb2.DownloadGenerationResponse(
            manifest=manifest(request.generation_id)
        )
        for name, data in self.files.items():
            for start in range(0, len(data), 100):
                response = generation_service_pb2.DownloadGenerationResponse()
                response.chunk.name = name
                response.chunk.data = data[start : start + 100]
                yield response


class ScriptedProfile(profile_service_pb2_grpc.ProfileServiceServicer):
    """Answers the profiles that the test put there, once the gate is open."""

    GetProfile = UpdateProfile = ListProfiles = FindSimilarUsers = unscripted
    EraseUser = GetErasure = ListErasures = ExportUser = unscripted
    MergeProfiles = UnmergeProfiles = ListMerges = unscripted
    PutAttributeSchema = GetAttributeSchema = unscripted

    def __init__(self, feedback: ScriptedFeedback) -> None:
        self.profiles: dict[bytes, profile_pb2.Profile] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.requests: list[profile_service_pb2.BatchGetProfilesRequest] = []
        self.probes = 0
        self.behind_by = 0
        self.epoch = 1
        self._feedback = feedback

    async def BatchGetProfiles(  # noqa: N802
        self,
        request: profile_service_pb2.BatchGetProfilesRequest,
        context: grpc.aio.ServicerContext,
    ) -> profile_service_pb2.BatchGetProfilesResponse:
        if PROBE in request.subjects:
            self.probes += 1
        else:
            self.requests.append(request)
        # The state is read when the call comes in; the answer may take its time.
        reached = self._feedback.sequence - self.behind_by
        wanted = decode_position(request.min_position).sequence if request.min_position else 0
        response = profile_service_pb2.BatchGetProfilesResponse(
            position=Position(0, self.epoch, reached).encode(),
            stale=reached < wanted,
        )
        for subject in request.subjects:
            result = response.results.add()
            profile = self.profiles.get(Pseudonyms().key_of("", subject))
            if profile is not None:
                result.profile.CopyFrom(profile)
        await self.gate.wait()
        return response


class ScriptedUpstream:
    """Both servers; `feedback_target` and `profile_target` are where they listen."""

    def __init__(self) -> None:
        self.feedback = ScriptedFeedback()
        self.profile = ScriptedProfile(self.feedback)
        self.feedback_target = ""
        self.profile_target = ""
        self._servers: dict[str, grpc.aio.Server] = {}

    async def start_feedback(self) -> None:
        server = _server()
        feed_service_pb2_grpc.add_FeedServiceServicer_to_server(self.feedback, server)
        generation_service_pb2_grpc.add_GenerationServiceServicer_to_server(self.feedback, server)
        self.feedback_target = await self._listen("feedback", server, self.feedback_target)

    async def start_profile(self) -> None:
        server = _server()
        profile_service_pb2_grpc.add_ProfileServiceServicer_to_server(self.profile, server)
        self.profile_target = await self._listen("profile", server, self.profile_target)

    async def _listen(self, name: str, server: grpc.aio.Server, address: str) -> str:
        port = server.add_insecure_port(address or "127.0.0.1:0")
        await server.start()
        self._servers[name] = server
        return f"127.0.0.1:{port}"

    async def stop(self, name: str) -> None:
        server = self._servers.pop(name, None)
        if server is not None:
            await server.stop(0)

    async def close(self) -> None:
        await self.stop("feedback")
        await self.stop("profile")


def _server() -> grpc.aio.Server:
    boundary = RpcInterceptor(RpcMetrics(CollectorRegistry()), Reloadable(CallLimits(1000, 60.0)))
    return scripted_server(boundary)
