"""Several frames as one, for whoever is behind: of each row only its newest value is sent."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harken.internal.feed.v1 import frame_pb2 as pb
from services.feed.parameters import VectorRows
from services.feed.parameters_codec import (
    COLUMNS,
    all_vectors,
    last_of_each,
    read_vectors,
    write_vectors,
)

Ints = npt.NDArray[np.int64]


def mergeable(frames: Sequence[pb.Frame]) -> int:
    """Return how many frames, from the first on, may become one; at least one of some.

    A frame that says something of a generation's life goes alone, so that what comes before and
    after it keeps its order.
    """
    if not frames or _changes_a_life(frames[0]):
        return min(1, len(frames))
    epoch = frames[0].epoch
    for number, frame in enumerate(frames):
        if frame.epoch != epoch or _changes_a_life(frame):
            return number
    return len(frames)


def _changes_a_life(frame: pb.Frame) -> bool:
    return any(
        changes.HasField("activated")
        or changes.HasField("staged")
        or changes.HasField("vector_rollback")
        or changes.retired_generation_ids
        for changes in frame.tenants
    )


def merged(frames: Sequence[pb.Frame]) -> pb.Frame:
    """Return one frame that does what consecutive frames do; see `mergeable`."""
    if len(frames) == 1:
        return frames[0]
    first, last = frames[0], frames[-1]
    result = pb.Frame(
        shard=last.shard,
        epoch=last.epoch,
        after_version=first.after_version,
        version=last.version,
        through_sequence=last.through_sequence,
        accepted_at_us=last.accepted_at_us,
    )
    by_tenant: dict[str, list[pb.TenantChanges]] = {}
    for frame in frames:
        for changes in frame.tenants:
            by_tenant.setdefault(changes.tenant, []).append(changes)
    for tenant, parts in by_tenant.items():
        own = result.tenants.add(tenant=tenant)
        if len(parts) == 1:
            own.CopyFrom(parts[0])
        else:
            _Merge(own).take(parts)
    return result


class _Merge:
    """The changes of one tenant, of several frames, into one."""

    def __init__(self, result: pb.TenantChanges) -> None:
        self._result = result
        self._index: dict[str, int] = {}
        self._ordinals: list[Ints] = []

    def take(self, parts: Sequence[pb.TenantChanges]) -> None:
        """Merge parts, given in order."""
        self._ordinals = [self._indices(part.item_ids) for part in parts]
        self._catalogue(parts)
        documents = {(one.kind, one.name): one for part in parts for one in part.documents}
        self._result.documents.extend(documents.values())
        self._vectors(parts)
        self._columns(parts)
        self._users(parts)
        factors = {one.generation_id: one for part in parts for one in part.encoder_factors}
        self._result.encoder_factors.extend(factors.values())
        self._head(parts)
        self._result.item_ids.extend(self._index)

    def _indices(self, item_ids: Iterable[str]) -> Ints:
        index = self._index
        return np.array([index.setdefault(one, len(index)) for one in item_ids], np.int64)

    def _catalogue(self, parts: Sequence[pb.TenantChanges]) -> None:
        items: dict[str, Any] = {}
        for part in parts:
            for item in part.catalogue.items:
                items[item.item_id] = item
            for gone in part.catalogue.deleted_item_ids:
                items[gone] = None
        if items:
            kept = self._result.catalogue
            kept.items.extend(item for item in items.values() if item is not None)
            kept.deleted_item_ids.extend(name for name, item in items.items() if item is None)

    def _vectors(self, parts: Sequence[pb.TenantChanges]) -> None:
        """Merge vectors by generation; which one serves is the same in all parts."""
        rows: dict[str, list[tuple[Ints, pb.ItemVectors]]] = {}
        serving = {
            part.item_vectors.generation_id for part in parts if part.HasField("item_vectors")
        }
        for part, ordinals in zip(parts, self._ordinals, strict=True):
            for vectors in all_vectors(part):
                if vectors.items:
                    places = ordinals[np.array(vectors.items, np.int64)]
                    rows.setdefault(vectors.generation_id, []).append((places, vectors))
        for generation, found in rows.items():
            if generation in serving:
                target = self._result.item_vectors
            else:
                target = self._result.other_item_vectors.add()
            places = np.concatenate([own for own, _ in found])
            kept = last_of_each(places)
            parts_of = [read_vectors(one) for _, one in found]
            # Of some that are in steps and others that are not, all go in full.
            units = {one.unit for one in parts_of}
            rows_of = VectorRows(
                places[kept],
                np.concatenate([one.vectors for one in parts_of])[kept],
                np.concatenate([one.biases for one in parts_of])[kept],
                np.concatenate([one.pinned for one in parts_of])[kept],
                all(one.learned for one in parts_of),
                units.pop() if len(units) == 1 else 0.0,
            )
            write_vectors(generation, rows_of, target)

    def _columns(self, parts: Sequence[pb.TenantChanges]) -> None:
        for name, section in COLUMNS.items():
            found = [
                (items, section.read(getattr(part, name)))
                for items, part in zip(self._ordinals, parts, strict=True)
                if part.HasField(name)
            ]
            if found:
                section.write(section.merged(found), getattr(self._result, name))

    def _users(self, parts: Sequence[pb.TenantChanges]) -> None:
        found = [part.users for part in parts if part.users.user_keys]
        if not found:
            return
        newest: dict[bytes, bytes] = {}
        for users in found:
            # Read once: every access to a bytes field makes a copy of all of it.
            vectors, width = users.vectors, len(users.vectors) // len(users.user_keys)
            for row, key in enumerate(users.user_keys):
                newest[key] = vectors[row * width : (row + 1) * width]
        self._result.users.generation_id = found[-1].generation_id
        self._result.users.user_keys.extend(newest)
        self._result.users.vectors = b"".join(newest.values())

    def _head(self, parts: Sequence[pb.TenantChanges]) -> None:
        posteriors = [part.order_posterior for part in parts if part.HasField("order_posterior")]
        if posteriors:
            self._result.order_posterior.CopyFrom(posteriors[-1])
        found = [part.head for part in parts if part.HasField("head")]
        if not found:
            return
        figures = {(one.surface, one.outcome): one for head in found for one in head.figures}
        self._result.head.CopyFrom(found[-1])
        del self._result.head.figures[:]
        self._result.head.figures.extend(figures.values())
