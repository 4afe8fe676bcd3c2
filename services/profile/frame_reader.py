"""Reads what a frame says about users; refuses a frame that is wrong before anything is written."""

from collections.abc import Mapping

from harken.internal.feed.v1 import frame_pb2
from services.common.feed_client import FrameRefusedError, applied_by
from services.common.progress import Applied
from services.profile.domain import frame_check as check
from services.profile.domain.frame_changes import (
    FrameChanges,
    GenerationName,
    Shape,
    UserChange,
    UserEvent,
    UserId,
)


def event_count(frame: frame_pb2.Frame) -> int:
    """Return how many events a frame holds."""
    return sum(len(changes.users.event_users) for changes in frame.tenants)


def retracts(frame: frame_pb2.Frame) -> bool:
    """Return whether a frame takes events back."""
    return any(changes.users.retracted_users for changes in frame.tenants)


def read_frame(
    frame: frame_pb2.Frame, after: Applied, shapes: Mapping[GenerationName, Shape]
) -> FrameChanges:
    """Return what a frame that follows `after` changes; `shapes` are those known so far.

    Raises:
        FrameRefusedError: something in it is wrong; the reason says what.

    """
    try:
        check.check_point(frame.shard, frame.epoch, frame.through_sequence, after)
        learned: dict[GenerationName, Shape] = {}
        users: dict[UserId, UserChange] = {}
        for changes in frame.tenants:
            if changes.HasField("activated"):
                manifest = changes.activated
                learned[changes.tenant, manifest.generation_id] = check.activated_shape(
                    manifest.generation_id, manifest.dimension, manifest.max_norm
                )
            if changes.HasField("users"):
                _read_users(changes, frame, after, users)
                _read_retractions(changes, after, users)
                _read_vectors(changes, {**shapes, **learned}, learned, users)
    except check.FaultError as fault:
        raise FrameRefusedError(frame.version, str(fault)) from fault
    return FrameChanges(applied_by(frame), users, learned, event_count(frame))


def _read_users(
    changes: frame_pb2.TenantChanges,
    frame: frame_pb2.Frame,
    after: Applied,
    users: dict[UserId, UserChange],
) -> None:
    deltas = changes.users
    rows = len(deltas.event_users)
    keys = check.user_keys(deltas.user_keys)
    items, types = check.names(changes.item_ids), check.names(deltas.types)
    per_user = [users.setdefault((changes.tenant, key), UserChange()) for key in keys]
    columns = zip(
        check.indices("event_users", deltas.event_users, rows, len(keys)),
        check.indices("event_items", deltas.event_items, rows, len(items)),
        check.indices("event_types", deltas.event_types, rows, len(types)),
        check.values(deltas.event_values, rows),
        check.times(deltas.event_times_us, rows),
        check.weights(deltas.event_weights, rows),
        check.sequences(deltas.event_sequences, rows, after.sequence, frame.through_sequence),
        strict=True,
    )
    for owner, item, kind, value, time_us, weight, sequence in columns:
        event = UserEvent(items[item], types[kind], value, time_us, weight, sequence)
        per_user[owner].events.append(event)


def _read_retractions(
    changes: frame_pb2.TenantChanges, after: Applied, users: dict[UserId, UserChange]
) -> None:
    deltas = changes.users
    rows = len(deltas.retracted_users)
    if not rows:
        return
    keys = list(deltas.user_keys)
    items, types = list(changes.item_ids), list(deltas.types)
    if len(deltas.retracted_sequences) != rows or max(deltas.retracted_sequences) > after.sequence:
        raise check.FaultError("retracted events are not earlier ones")
    columns = zip(
        check.indices("retracted_users", deltas.retracted_users, rows, len(keys)),
        check.indices("retracted_items", deltas.retracted_items, rows, len(items)),
        check.indices("retracted_types", deltas.retracted_types, rows, len(types)),
        check.values(deltas.retracted_values, rows),
        check.times(deltas.retracted_times_us, rows),
        check.weights(deltas.retracted_weights, rows),
        deltas.retracted_sequences,
        strict=True,
    )
    for owner, item, kind, value, time_us, weight, sequence in columns:
        event = UserEvent(items[item], types[kind], value, time_us, weight, sequence)
        users[changes.tenant, keys[owner]].retracted.append(event)


def _read_vectors(
    changes: frame_pb2.TenantChanges,
    shapes: Mapping[GenerationName, Shape],
    learned: dict[GenerationName, Shape],
    users: dict[UserId, UserChange],
) -> None:
    deltas = changes.users
    rows = len(deltas.vector_users)
    # Read once: every access to a bytes field makes a copy of all of it.
    vectors = deltas.vectors
    if rows == 0:
        if vectors:
            raise check.FaultError("there are vectors of nobody")
        return
    if not deltas.generation_id:
        raise check.FaultError("vectors have no generation")
    name = (changes.tenant, deltas.generation_id)
    known = shapes.get(name)
    shape = check.checked_vectors(vectors, rows, known)
    if known is None:
        # The activation was not seen (its section may not be sent): the first vectors tell.
        learned[name] = shape
    owners = check.indices("vector_users", deltas.vector_users, rows, len(deltas.user_keys))
    keys = list(deltas.user_keys)
    width = shape.dimension * 4
    for row, owner in enumerate(owners):
        change = users[changes.tenant, keys[owner]]
        change.vector = vectors[row * width : (row + 1) * width]
        change.generation_id = name[1]
