"""Frames merged for who is behind: the same as one after the other (truth 6)."""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.internal.feed.v1 import frame_pb2 as pb
from services.feed.progress import Applied
from services.feedback.feed_server.frame_merge import mergeable, merged
from services.feedback.learner.frame_conversion import frame_of
from services.feedback.learner.model.entries import LogEntry
from services.feedback.learner.model.step import States, step, step_length
from services.feedback.learner.model.tenant_state import LearningConfig
from tests.feedback.domain.generation_logs import Turn, drawn_logs, with_generations
from tests.packed_steps import unpacked_steps

CONFIG = LearningConfig(placed_bytes=400, user_vectors_us=0)


def frames_of(log: Sequence[LogEntry], size: int) -> list[pb.Frame]:
    """Return the frames of steps of a size, catalogue payloads aside (they are opaque here)."""
    states: States = {}
    frames: list[pb.Frame] = []
    done = 0
    while done < len(log):
        end = done + step_length(log[done : done + size])
        version = len(frames) + 1
        changes = step(states, log[done:end], CONFIG, version)
        for one in changes:
            one.upserted = [(item_id, b"") for item_id, _ in one.upserted]
        before, after = Applied(1, version - 1, done), Applied(1, version, end)
        frames.append(frame_of(changes, before, after, end))
        done = end
    return frames


def values_of(vectors: pb.ItemVectors) -> list[float]:
    if not vectors.steps:
        return list(struct.unpack(f"<{len(vectors.vectors) // 4}f", vectors.vectors))
    steps = unpacked_steps(vectors)
    return [float(np.float32(step) * np.float32(vectors.unit)) for step in steps]


class PlainFold:
    """What frames say, row by row, by the plainest of folds."""

    def __init__(self) -> None:
        self.rows: dict[Any, Any] = {}
        self.through: tuple[int, int, int] = (0, 0, 0)

    def take(self, frame: pb.Frame) -> None:
        assert frame.after_version == self.through[0]
        self.through = (frame.version, frame.through_sequence, frame.accepted_at_us)
        for part in frame.tenants:
            self._take(part)

    def _take(self, part: pb.TenantChanges) -> None:
        name, rows = part.tenant, self.rows
        ids: list[str] = list(part.item_ids)
        for retired in part.retired_generation_ids:
            for key in [key for key in rows if key[:3] == (name, "vector", retired)]:
                del rows[key]
        if part.HasField("activated"):
            rows[name, "active"] = part.activated.generation_id
        for listed in part.catalogue.items:
            rows[name, "item", listed.item_id] = listed.SerializeToString()
        for gone in part.catalogue.deleted_item_ids:
            rows[name, "item", gone] = None
        own = [part.item_vectors] if part.HasField("item_vectors") else []
        for vectors in own:
            if vectors.items:
                assert rows[name, "active"] == vectors.generation_id
        for vectors in (*own, *part.other_item_vectors):
            whole = values_of(vectors)
            width = len(whole) // max(len(vectors.items), 1)
            for row, item in enumerate(vectors.items):
                rows[name, "vector", vectors.generation_id, ids[item]] = (
                    whole[row * width : (row + 1) * width],
                    vectors.biases[row * 4 : row * 4 + 4], vectors.pinned[row],
                )  # fmt: skip
        for put in part.documents:
            rows[name, "document", put.kind, put.name] = (put.revision, put.body)
        weights = struct.unpack(f"<{len(part.rules.sources)}f", part.rules.weights)
        for cell, weight in enumerate(weights):
            rules = part.rules
            rows[name, "rule", ids[rules.sources[cell]], rules.slots[cell]] = (
                ids[rules.targets[cell]], weight,
            )  # fmt: skip
        levels = struct.unpack(f"<{len(part.popularity.items)}d", part.popularity.levels)
        counts = struct.unpack(f"<{len(part.popularity.items)}d", part.popularity.counts)
        for item, level, count in zip(part.popularity.items, levels, counts, strict=True):
            rows[name, "popular", ids[item]] = (level, count)
        at = part.context_popularity
        levels = struct.unpack(f"<{len(at.items)}d", at.levels)
        for item, place, level in zip(at.items, at.places, levels, strict=True):
            rows[name, "place", ids[item], place] = level
        for factor in part.encoder_factors:
            rows[name, "factor", factor.generation_id] = factor.factor
        width = len(part.users.vectors) // max(len(part.users.user_keys), 1)
        for row, user in enumerate(part.users.user_keys):
            own_vector = part.users.vectors[row * width : (row + 1) * width]
            rows[name, "user", user] = (part.users.generation_id, own_vector)
        if part.HasField("head"):
            rows[name, "head"] = (part.head.generation_id, part.head.parameters, part.head.slates)
            for one in part.head.figures:
                rows[name, "figures", one.surface, one.outcome] = one.SerializeToString()
        if part.HasField("order_posterior"):
            rows[name, "posterior"] = part.order_posterior.SerializeToString()


@settings(max_examples=60, suppress_health_check=[HealthCheck.data_too_large])
@given(drawn_logs(), st.integers(1, 12), st.lists(st.integers(1, 60), max_size=6))
def test_merged_frames_do_what_they_do_one_by_one(
    drawn: tuple[list[LogEntry], list[Turn]], size: int, cuts: list[int]
) -> None:
    frames = frames_of(with_generations(*drawn), size)
    plain, of_merged = PlainFold(), PlainFold()
    for frame in frames:
        plain.take(frame)
    ends = sorted({0, *(cut for cut in cuts if cut < len(frames)), len(frames)})
    for start, end in pairwise(ends):
        waiting = frames[start:end]
        while waiting:
            count = mergeable(waiting)
            assert count >= 1
            of_merged.take(merged(waiting[:count]))
            del waiting[:count]
    assert of_merged.rows == plain.rows
    assert of_merged.through == plain.through


def test_what_is_overwritten_is_not_sent() -> None:
    def frame(version: int, item: str, level: float) -> pb.Frame:
        made = pb.Frame(epoch=1, after_version=version - 1, version=version)
        part = made.tenants.add(tenant="t", item_ids=[item])
        part.popularity.items.append(0)
        part.popularity.levels = struct.pack("<d", level)
        part.popularity.counts = struct.pack("<d", level)
        return made

    one = merged([frame(1, "a", 1.0), frame(2, "b", 2.0), frame(3, "a", 3.0)])
    assert (one.after_version, one.version) == (0, 3)
    (part,) = one.tenants
    assert list(part.item_ids) == ["a", "b"]
    found = struct.unpack("<2d", part.popularity.levels)
    assert dict(zip(part.popularity.items, found, strict=True)) == {1: 2.0, 0: 3.0}
