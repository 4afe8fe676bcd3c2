"""Asks profile as slates will, so that a ranker is not called ready before that works."""

import asyncio
import time

import grpc

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from harken.profile.v1 import profile_service_pb2_grpc
from services.common.logs import logger
from services.feed.progress import Progress

PROBE = subject_pb2.Subject(session_id="harken-ranker-asks-whether-profile-answers")
"""Nobody: profile knows nothing about it, and says so."""
_EVERY_SECONDS = 0.05
_log = logger("readiness")


class ProfileProbe:
    """Asks until one answer reflects all entries applied here, or for as long as patience lasts.

    After that a slate without its user is better than none. Profile going away later is not asked
    about: slates say that they are degraded, and all replicas would lose readiness at once.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        progress: Progress,
        call_seconds: float,
        patience_seconds: float,
    ) -> None:
        """`channel` is the one that users are asked for on."""
        self._stub: profile_service_pb2_grpc.ProfileServiceAsyncStub
        self._stub = profile_service_pb2_grpc.ProfileServiceStub(channel)  # type: ignore[assignment]
        self._progress = progress
        self._call_seconds = call_seconds
        self._patience_seconds = patience_seconds
        self.done = False
        """Whether profile answered, or patience ended."""

    async def run(self, caught_up: asyncio.Event) -> None:
        """Ask as soon as the feed was caught up with, until done."""
        await caught_up.wait()
        deadline = time.monotonic() + self._patience_seconds
        while not await self._answers():
            if time.monotonic() > deadline:
                _log.warning("profile does not answer: slates will be degraded")
                break
            await asyncio.sleep(_EVERY_SECONDS)
        self.done = True

    async def _answers(self) -> bool:
        request = pb.BatchGetProfilesRequest(subjects=[PROBE], include_seen=True)
        if self._progress.applied.sequence > 0:
            request.min_position = self._progress.position()
        request.wait_budget.FromMicroseconds(int(self._call_seconds * 0.8e6))
        try:
            answer = await self._stub.BatchGetProfiles(request, timeout=self._call_seconds)
        except grpc.aio.AioRpcError:
            return False
        return not answer.stale
