"""A staged generation that a ranker cannot use holds nothing up (truths 7, 14)."""

import numpy as np
import pytest

from harken.feedback.v1 import generation_pb2
from harken.internal.feed.v1 import frame_pb2
from services.feed.frames_client import FrameRefusedError
from services.ranker.domain.generation import Generation
from services.ranker.frame_applier import UnusableGenerationError
from tests.ranker.generations import generation, manifest
from tests.ranker.replicas import new_folder


class _OneUnusable:
    async def load(self, tenant: str, described: generation_pb2.GenerationManifest) -> Generation:
        if described.generation_id == "bad":
            raise UnusableGenerationError("as the test says")
        return generation(described.generation_id)


def _frame(version: int, **part: object) -> frame_pb2.Frame:
    changes = frame_pb2.TenantChanges(tenant="default", **part)  # type: ignore[arg-type]
    return frame_pb2.Frame(epoch=1, after_version=version - 1, version=version, tenants=[changes])


async def test_it_is_left_out_and_its_vectors_and_end_too() -> None:
    folder = new_folder(_OneUnusable())
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


async def test_another_serves_on_when_it_is_activated_and_rollback_heals() -> None:
    folder = new_folder(_OneUnusable())
    own = frame_pb2.ItemVectors(
        generation_id="g1", items=[0], vectors=np.array([1, 0, 0, 0], "<f4").tobytes(),
        biases=bytes(4),
    )  # fmt: skip
    theirs = frame_pb2.ItemVectors(
        generation_id="bad", items=[0], vectors=bytes(16), biases=bytes(4)
    )
    await folder.apply([_frame(1, activated=manifest("g1")), _frame(2, staged=manifest("bad"))])
    await folder.apply([_frame(3, activated=manifest("bad"), item_ids=["a"], item_vectors=theirs)])
    replica = folder.replicas["default"]
    assert (replica.active, replica.unserved) == ("g1", "bad")
    # What serves goes on learning, as the feed does for one on standby.
    await folder.apply([_frame(4, item_ids=["a"], item_vectors=theirs, other_item_vectors=[own])])
    assert replica.index.vectors(replica.ordinals(["a"])).tolist() == [[1, 0, 0, 0]]
    await folder.apply([_frame(5, activated=manifest("g1")), _frame(6, item_ids=["a"],
                        item_vectors=own, other_item_vectors=[theirs])])  # fmt: skip
    assert (replica.active, replica.unserved) == ("g1", "")
    assert folder.progress.applied.version == 6


async def test_it_serves_on_when_it_is_retired_until_there_is_another() -> None:
    folder = new_folder(_OneUnusable())
    await folder.apply(
        [
            _frame(1, activated=manifest("g1")),
            _frame(2, staged=manifest("bad")),
            _frame(3, activated=manifest("bad")),
            _frame(4, retired_generation_ids=["g1"]),
        ]
    )
    replica = folder.replicas["default"]
    assert (set(replica.spaces), replica.unserved) == ({"g1"}, "bad")
    await folder.apply([_frame(5, staged=manifest("g2")), _frame(6, activated=manifest("g2"))])
    assert (set(replica.spaces), replica.active, replica.unserved) == ({"g2"}, "g2", "")


async def test_where_nothing_serves_yet_it_is_refused() -> None:
    folder = new_folder(_OneUnusable())
    with pytest.raises(FrameRefusedError, match="as the test says"):
        await folder.apply([_frame(1, activated=manifest("bad"))])
    assert folder.progress.applied.version == 0
