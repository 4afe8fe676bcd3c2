"""Many who ask for the state at once cost no more than one (truth 13)."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from harken.feedback.v1 import generation_pb2
from harken.internal.feed.v1 import frame_pb2
from services.feed.progress import Progress
from services.ranker import serving_state
from services.ranker.domain.generation import Generation
from services.ranker.serving_state import ServingState
from tests.ranker.generations import generation, manifest
from tests.ranker.replicas import new_folder


class _Generations:
    async def load(self, tenant: str, described: generation_pb2.GenerationManifest) -> Generation:
        return generation(described.generation_id)


async def test_a_digest_is_taken_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_folder(_Generations())
    changes = frame_pb2.TenantChanges(tenant="default", activated=manifest("g1"))
    await folder.apply([frame_pb2.Frame(epoch=1, version=1, tenants=[changes])])
    taken = []

    def digest_of(*_: object) -> bytes:
        taken.append(1)
        return b"digest"

    monkeypatch.setattr(serving_state, "digest_of", digest_of)
    readiness: Any = SimpleNamespace(
        refresh=lambda: None, ready=True, connected=True, head_version=1, head_sequence=1,
        entries_lag=0,
    )  # fmt: skip
    state = ServingState(folder, Progress(), readiness)
    answers = await asyncio.gather(*(state.read() for _ in range(20)))
    assert {one.tenants[0].digest for one in answers} == {b"digest"}
    assert len(taken) == 1
