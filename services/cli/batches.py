"""BatchRecommend, taken up again where it breaks off."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import grpc

from harken.common.v1 import subject_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.cli.clients import PATIENCE_SECONDS, Clients, is_retryable
from services.common.retry_info import pause_seconds

_SUBJECTS = 1000
"""In a call: a break costs no more than what is on the way."""
_PAUSE_SECONDS = 0.5


async def recommend_all(
    clients: Clients,
    tenant: str,
    subjects: Sequence[subject_pb2.Subject],
    asked: pb.RecommendRequest,
) -> AsyncIterator[tuple[int, pb.SubjectSlate]]:
    """Yield the result of each subject with its index, in order.

    Raises:
        grpc.aio.AioRpcError: it is refused, or no answer came for a minute.

    """
    done, heard = 0, time.monotonic()
    while done < len(subjects):
        request = pb.BatchRecommendRequest(
            tenant=tenant, subjects=subjects[done : done + _SUBJECTS], request=asked
        )
        try:
            async for answer in clients.ranker.BatchRecommend(request, wait_for_ready=True):
                for result in answer.results:
                    yield done, result
                    done += 1
                heard = time.monotonic()
        except grpc.aio.AioRpcError as error:
            if not is_retryable(error) or time.monotonic() - heard > PATIENCE_SECONDS:
                raise
            await asyncio.sleep(pause_seconds(error) or _PAUSE_SECONDS)


async def check_request(
    clients: Clients, tenant: str, subject: subject_pb2.Subject, asked: pb.RecommendRequest
) -> None:
    """Return when a request is right for all subjects. Nothing is logged.

    Raises:
        grpc.aio.AioRpcError: as recommend_all.

    """
    preview = pb.RecommendRequest()
    preview.CopyFrom(asked)
    preview.preview = True
    async for _ in recommend_all(clients, tenant, [subject], preview):
        pass
