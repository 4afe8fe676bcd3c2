"""Reads what a frame says about users; refuses a frame that is wrong before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harken.feedback.v1 import frame_pb2
from services.common.feed_client import FrameRefusedError, applied_by
from services.common.progress import Applied

MAX_NORM_SLACK = 1e-5
"""Relative; a norm that was bounded in float32 may lie this much above its bound."""

# What google.protobuf.Timestamp can say: years 1 to 9999.
_MIN_TIME_US = -62_135_596_800 * 1_000_000
_MAX_TIME_US = 253_402_300_800 * 1_000_000 - 1

UserId = tuple[str, bytes]
"""Tenant and user key."""
GenerationName = tuple[str, str]
"""Tenant and generation id."""


class UserEvent(NamedTuple):
    """One event of a user. `value` is NaN when none was given; the time is unix microseconds."""

    item_id: str
    type: str
    value: float
    time_us: int
    weight: float
    sequence: int


class Shape(NamedTuple):
    """What vectors of a generation look like; `max_norm` is None when it is not known."""

    dimension: int
    max_norm: float | None


@dataclass(slots=True)
class UserChange:
    """What happened to a user: events in log order, and the new vector, if any."""

    events: list[UserEvent] = field(default_factory=list)
    vector: bytes | None = None
    generation_id: str = ""


@dataclass(frozen=True, slots=True)
class FrameChanges:
    """What a frame changes: the point it leads to, users, and shapes not known before."""

    through: Applied
    users: Mapping[UserId, UserChange]
    shapes: Mapping[GenerationName, Shape]
    events: int


class _FaultError(Exception):
    """What is wrong with a frame."""


def event_count(frame: frame_pb2.Frame) -> int:
    """Return how many events a frame holds."""
    return sum(len(changes.users.event_users) for changes in frame.tenants)


def read_frame(
    frame: frame_pb2.Frame, after: Applied, shapes: Mapping[GenerationName, Shape]
) -> FrameChanges:
    """Return what a frame that follows `after` changes; `shapes` are those known so far.

    Raises:
        FrameRefusedError: something in it is wrong; the reason says what.

    """
    try:
        _check_point(frame, after)
        learned: dict[GenerationName, Shape] = {}
        users: dict[UserId, UserChange] = {}
        events = 0
        for changes in frame.tenants:
            if changes.HasField("activated"):
                _learn_activated(changes, learned)
            if changes.HasField("users"):
                _read_users(changes, frame, after, users)
                _read_vectors(changes, {**shapes, **learned}, learned, users)
                events += len(changes.users.event_users)
    except _FaultError as fault:
        raise FrameRefusedError(frame.version, str(fault)) from fault
    return FrameChanges(applied_by(frame), users, learned, events)


def _check_point(frame: frame_pb2.Frame, after: Applied) -> None:
    if frame.shard != 0:
        raise _FaultError(f"shard {frame.shard} is not ours")
    if frame.epoch < after.epoch:
        raise _FaultError(f"epoch {frame.epoch} comes after epoch {after.epoch}")
    if frame.through_sequence < after.sequence:
        raise _FaultError(
            f"sequence {frame.through_sequence} comes after sequence {after.sequence}"
        )


def _learn_activated(
    changes: frame_pb2.TenantChanges, learned: dict[GenerationName, Shape]
) -> None:
    manifest = changes.activated
    if manifest.dimension < 1 or not (np.isfinite(manifest.max_norm) and manifest.max_norm > 0):
        raise _FaultError(f"generation {manifest.generation_id!r} has no dimension or bound")
    name = (changes.tenant, manifest.generation_id)
    learned[name] = Shape(manifest.dimension, manifest.max_norm)


def _read_users(
    changes: frame_pb2.TenantChanges,
    frame: frame_pb2.Frame,
    after: Applied,
    users: dict[UserId, UserChange],
) -> None:
    deltas = changes.users
    rows = len(deltas.event_users)
    keys = list(deltas.user_keys)
    if not all(keys) or len(set(keys)) != len(keys):
        raise _FaultError("user keys are empty or doubled")
    per_user = [users.setdefault((changes.tenant, key), UserChange()) for key in keys]
    owners = _indices("event_users", deltas.event_users, rows, len(keys))
    item_rows = _indices("event_items", deltas.event_items, rows, len(changes.item_ids))
    type_rows = _indices("event_types", deltas.event_types, rows, len(deltas.types))
    items, types = list(changes.item_ids), list(deltas.types)
    for name in (*items, *types):
        if not name or "\0" in name:
            raise _FaultError(f"{name!r} is no item id or type")
    values = _floats("event_values", deltas.event_values, "<f8", rows)
    if np.isinf(values).any():
        raise _FaultError("a value is infinite")
    weights = _floats("event_weights", deltas.event_weights, "<f4", rows)
    if not np.isfinite(weights).all():
        raise _FaultError("a weight is not finite")
    times = _times(deltas.event_times_us, rows)
    sequences = _sequences(deltas.event_sequences, rows, after.sequence, frame.through_sequence)
    for owner, item, kind, value, time_us, weight, sequence in zip(
        owners, item_rows, type_rows, values.tolist(), times, weights.tolist(), sequences,
        strict=True,
    ):  # fmt: skip
        event = UserEvent(items[item], types[kind], value, time_us, weight, sequence)
        per_user[owner].events.append(event)


def _read_vectors(
    changes: frame_pb2.TenantChanges,
    shapes: Mapping[GenerationName, Shape],
    learned: dict[GenerationName, Shape],
    users: dict[UserId, UserChange],
) -> None:
    deltas = changes.users
    rows = len(deltas.vector_users)
    if rows == 0:
        if deltas.vectors:
            raise _FaultError("there are vectors of nobody")
        return
    if not deltas.generation_id:
        raise _FaultError("vectors have no generation")
    name = (changes.tenant, deltas.generation_id)
    # Read once: every access to a bytes field makes a copy of all of it.
    vectors = deltas.vectors
    size = len(vectors)
    shape = shapes.get(name)
    if shape is None:
        # The activation was not seen (its section may not be sent): the first vectors tell.
        if size == 0 or size % (4 * rows):
            raise _FaultError(f"vectors of {size} bytes are not {rows} rows of one dimension")
        shape = learned[name] = Shape(size // (4 * rows), None)
    if size != rows * shape.dimension * 4:
        raise _FaultError(
            f"vectors of {size} bytes are not {rows} rows of dimension {shape.dimension}"
        )
    table = np.frombuffer(vectors, "<f4").reshape(rows, shape.dimension)
    if not np.isfinite(table).all():
        raise _FaultError("a vector is not finite")
    if shape.max_norm is not None:
        norm = float(np.linalg.norm(table.astype(np.float64), axis=1).max())
        if norm > shape.max_norm * (1 + MAX_NORM_SLACK):
            raise _FaultError(f"a vector has norm {norm:.6g}, more than {shape.max_norm:.6g}")
    owners = _indices("vector_users", deltas.vector_users, rows, len(deltas.user_keys))
    keys = list(deltas.user_keys)
    width = shape.dimension * 4
    for row, owner in enumerate(owners):
        change = users[changes.tenant, keys[owner]]
        change.vector = vectors[row * width : (row + 1) * width]
        change.generation_id = name[1]


def _indices(name: str, column: Sequence[int], rows: int, below: int) -> list[int]:
    if len(column) != rows:
        raise _FaultError(f"{name} has {len(column)} rows, not {rows}")
    if rows and max(column) >= below:
        raise _FaultError(f"{name} points at {max(column)}, beyond {below} entries")
    return list(column)


def _floats(name: str, column: bytes, kind: str, rows: int) -> npt.NDArray[np.floating]:
    if len(column) != rows * np.dtype(kind).itemsize:
        raise _FaultError(f"{name} has {len(column)} bytes, which are not {rows} rows")
    return np.frombuffer(column, kind)


def _times(column: Sequence[int], rows: int) -> list[int]:
    if len(column) != rows:
        raise _FaultError(f"event_times_us has {len(column)} rows, not {rows}")
    if rows and (min(column) < _MIN_TIME_US or max(column) > _MAX_TIME_US):
        raise _FaultError("an event time lies outside the years 1 to 9999")
    return list(column)


def _sequences(column: Sequence[int], rows: int, after: int, through: int) -> list[int]:
    if len(column) != rows:
        raise _FaultError(f"event_sequences has {len(column)} rows, not {rows}")
    sequences = list(column)
    if rows:
        if any(later <= earlier for earlier, later in pairwise(sequences)):
            raise _FaultError("events are not in log order")
        if not (after < sequences[0] and sequences[-1] <= through):
            raise _FaultError(
                f"events {sequences[0]} to {sequences[-1]} lie outside ({after}, {through}]"
            )
    return sequences
