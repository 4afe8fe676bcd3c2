"""A suite is said to be ready when slates lack nothing."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from harken.ranker.v1 import slate_pb2
from services.cli.first_slate import wait_answers
from services.cli.guardian import Guardian
from services.cli.service_process import ProcessFailedError, ProcessSpec, ServiceProcess
from tests.cli.scripted_suite import ScriptedSuite, serving


class Degraded(ScriptedSuite):
    """Its first slates lack the user."""

    def __init__(self, slates: int) -> None:
        super().__init__()
        self.degraded = slates

    async def Recommend(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = await super().Recommend(request, context)
        assert request.preview
        if len(self.calls) <= self.degraded:
            answer.degradations.append(slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE)
        return answer


def process(folder: Path, guardian: Guardian) -> ServiceProcess:
    return ServiceProcess(ProcessSpec("ranker-1", "services.ranker", folder), guardian)


async def test_slates_that_lack_their_user_are_waited_for(
    tmp_path: Path, guardian: Guardian
) -> None:
    suite = Degraded(3)
    async with serving(suite) as endpoints:
        ranker = process(tmp_path, guardian)
        until = time.monotonic() + 30
        await asyncio.to_thread(wait_answers, ranker, endpoints.rankers[0], until)
    assert len(suite.calls) == 4


async def test_they_are_not_waited_for_without_end(tmp_path: Path, guardian: Guardian) -> None:
    async with serving(Degraded(10**6)) as endpoints:
        ranker = process(tmp_path, guardian)
        ranker.log_file.touch()
        until = time.monotonic() + 0.3
        with pytest.raises(ProcessFailedError, match="ranker-1 is not ready in time"):
            await asyncio.to_thread(wait_answers, ranker, endpoints.rankers[0], until)
