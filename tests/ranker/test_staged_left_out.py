"""A staged generation that a ranker cannot use holds nothing up (truths 7, 14)."""

import pytest

from harken.feedback.v1 import frame_pb2, generation_pb2
from services.common.feed_client import FrameRefusedError
from services.ranker.domain.generation import Generation
from services.ranker.frame_folder import FrameFolder, UnusableGenerationError
from tests.ranker.generations import generation, manifest
from tests.ranker.replicas import new_replica


class _OneUnusable:
    async def load(self, tenant: str, described: generation_pb2.GenerationManifest) -> Generation:
        if described.generation_id == "bad":
            raise UnusableGenerationError("as the test says")
        return generation(described.generation_id)


def _frame(version: int, **part: object) -> frame_pb2.Frame:
    changes = frame_pb2.TenantChanges(tenant="default", **part)  # type: ignore[arg-type]
    return frame_pb2.Frame(epoch=1, after_version=version - 1, version=version, tenants=[changes])


async def test_it_is_left_out_and_its_vectors_and_end_too() -> None:
    folder = FrameFolder(_OneUnusable(), new_replica)
    vectors = frame_pb2.ItemVectors(
        generation_id="bad", items=[0], vectors=bytes(16), biases=bytes(4)
    )
    await folder.apply(
        [
            _frame(1, activated=manifest("g1")),
            _frame(2, staged=manifest("bad")),
            _frame(3, item_ids=["a"], other_item_vectors=[vectors]),
            _frame(4, retired_generation_ids=["bad"]),
        ]
    )
    assert folder.progress.applied.version == 4
    assert set(folder.replicas["default"].spaces) == {"g1"}


async def test_it_never_serves_with_what_was_left_out() -> None:
    folder = FrameFolder(_OneUnusable(), new_replica)
    await folder.apply([_frame(1, activated=manifest("g1")), _frame(2, staged=manifest("bad"))])
    with pytest.raises(FrameRefusedError, match="left out"):
        await folder.apply([_frame(3, activated=manifest("bad"))])
    assert folder.progress.applied.version == 2
