"""Entries to and from the wire, and the checks of what came."""

import math
import struct
from collections.abc import Sequence

import numpy as np

from harken.internal.feed.v1 import entries_pb2 as pb
from services.feed.columns import to_bytes, to_ints
from services.feed.entries import (
    NO_EVENTS,
    Doubles,
    Entries,
    ErasedUser,
    EventColumns,
    EventRow,
    Flags,
    Floats,
    Ints,
    ItemVisibility,
    ShownSlate,
    TenantEntries,
    UserFact,
    UserLink,
    UserVectors,
)

_MOST_US = 2**62
_FIRST_US = -62_135_596_800 * 1_000_000
_LAST_US = 253_402_300_800 * 1_000_000 - 1
"""What google.protobuf.Timestamp can say: years 1 to 9999."""
_LONGEST_NAME = 1024
_TOMBSTONE_BYTES = 32
_INDICES = ("users", "items", "types")
_OFFSETS = ("time_offsets_us", "sequence_offsets", "accepted_offsets_us")
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")


class RefusedEntriesError(ValueError):
    """Entries are wrong; nothing of them was applied."""


def encode(entries: Entries) -> pb.Entries:
    """Return the message."""
    message = pb.Entries(
        epoch=entries.epoch,
        after_sequence=entries.after_sequence,
        through_sequence=entries.through_sequence,
        accepted_at_us=entries.accepted_at_us,
    )
    for own in entries.tenants:
        wire = message.tenants.add(
            tenant=own.tenant, item_ids=own.item_ids, user_keys=own.user_keys, types=own.types
        )
        if len(own.events):
            _encode_events(own.events, entries, wire.events)
        if len(own.retracted):
            _encode_events(own.retracted, entries, wire.retracted)
        for part in own.vectors:
            wire.vectors.add(
                generation_id=part.generation_id,
                users=part.users.tolist(),
                vectors=to_bytes(part.vectors, "<f4"),
                pinned=part.pinned.tolist(),
                sequence_offsets=(part.sequences - entries.after_sequence).tolist(),
            )
        for fact in own.facts:
            added = wire.facts.add(user=fact.user, revision=fact.revision)
            added.attributes.ParseFromString(fact.attributes)
            if fact.consent:
                added.consent.ParseFromString(fact.consent)
        if own.items is not None:
            items = own.items
            wire.items.items.extend(items.items.tolist())
            wire.items.listed.extend(items.listed.tolist())
            wire.items.available.extend(items.available.tolist())
            wire.items.expires_at_us.extend(items.expires_at_us.tolist())
            wire.items.sequence_offsets.extend((items.sequences - entries.after_sequence).tolist())
        for slate in own.shown:
            wire.shown.add(**slate._asdict())
        for erased in own.erased:
            wire.erased.add(
                erasure_id=erased.erasure_id,
                user_key=erased.user_key,
                tombstone=erased.tombstone,
                erased_at_us=erased.erased_at_us,
                sequence_offset=erased.sequence - entries.after_sequence,
            )
        for link in own.links:
            (wire.merged if link.merged else wire.unmerged).add(
                user=link.user,
                into=link.into,
                direct=link.direct,
                revision=link.revision,
                since_us=link.since_us,
                source=link.source,
                sequence_offset=link.sequence - entries.after_sequence,
            )
    return message


def _encode_events(events: EventColumns, entries: Entries, wire: pb.EventColumns) -> None:
    if events.alone is not None:
        _encode_event(events.alone, entries, wire)
        return
    wire.users.extend(events.users.tolist())
    wire.items.extend(events.items.tolist())
    wire.types.extend(events.types.tolist())
    if not np.isnan(events.values).all():
        wire.values = to_bytes(events.values, "<f8")
    wire.time_offsets_us.extend((events.times_us - entries.accepted_at_us).tolist())
    wire.sequence_offsets.extend((events.sequences - entries.after_sequence).tolist())
    wire.weights = to_bytes(events.weights, "<f4")
    wire.accepted_offsets_us.extend((events.accepted_us - entries.accepted_at_us).tolist())


def _encode_event(event: EventRow, entries: Entries, wire: pb.EventColumns) -> None:
    wire.users.append(event.user)
    wire.items.append(event.item)
    wire.types.append(event.type)
    if not math.isnan(event.value):
        wire.values = _DOUBLE.pack(event.value)
    wire.time_offsets_us.append(event.time_us - entries.accepted_at_us)
    wire.sequence_offsets.append(event.sequence - entries.after_sequence)
    wire.weights = _FLOAT.pack(event.weight)
    wire.accepted_offsets_us.append(event.accepted_us - entries.accepted_at_us)


def decode(message: pb.Entries) -> Entries:
    """Return what a message says.

    Raises:
        RefusedEntriesError: columns differ in length, an index points beyond them, a name, user key
            or time is none, a number is not finite or sequences are not of the stretch.

    """
    if message.shard != 0:
        raise RefusedEntriesError(f"shard {message.shard} is not ours")
    if message.through_sequence <= message.after_sequence:
        raise RefusedEntriesError("the stretch has no entry")
    if not 0 <= message.accepted_at_us <= _MOST_US:
        raise RefusedEntriesError("accepted_at_us is not a time")
    return Entries(
        message.epoch,
        message.after_sequence,
        message.through_sequence,
        message.accepted_at_us,
        [_tenant(wire, message) for wire in message.tenants],
    )


def _tenant(wire: pb.TenantEntries, message: pb.Entries) -> TenantEntries:
    try:
        item_ids, types = _names("item_ids", wire.item_ids), _names("types", wire.types)
        user_keys = list(wire.user_keys)
        if not all(user_keys) or len(set(user_keys)) != len(user_keys):
            _refuse("user_keys: empty or doubled")
        sizes = (len(user_keys), len(item_ids), len(types))
        events = retracted = NO_EVENTS
        if wire.HasField("events"):
            events = _events(wire.events, message, sizes)
            if events.alone is not None:
                _check_within("events", events.alone.sequence, events.alone.sequence, message)
            else:
                _check_sequences("events", events.sequences, message)
        if wire.HasField("retracted"):
            retracted = _events(wire.retracted, message, sizes)
            if any(one > message.after_sequence for one in retracted.acceptances()[1]):
                _refuse("retracted.sequence_offsets: an event is not an earlier one")
        if len(events) and len(retracted):
            _refuse("events and retracted events in one stretch")
        return TenantEntries(
            wire.tenant,
            item_ids,
            user_keys,
            types,
            events,
            retracted,
            [_vectors(part, message, len(user_keys)) for part in wire.vectors],
            [_fact(fact, len(user_keys)) for fact in wire.facts],
            _items(wire.items, message, len(item_ids)) if wire.HasField("items") else None,
            [_shown(slate, len(item_ids)) for slate in wire.shown],
            [_erased(one, message) for one in wire.erased],
            _links(wire, message, len(user_keys)),
        )
    except ValueError as error:
        raise RefusedEntriesError(f"tenant {wire.tenant!r}: {error}") from error


def _events(
    wire: pb.EventColumns, message: pb.Entries, sizes: tuple[int, int, int]
) -> EventColumns:
    columns = (
        wire.users, wire.items, wire.types,
        wire.time_offsets_us, wire.sequence_offsets, wire.accepted_offsets_us,
    )  # fmt: skip
    rows = len(wire.users)
    for column in columns:
        if len(column) != rows:
            _refuse("columns differ in length")
    if len(wire.weights) != _FLOAT.size * rows or len(wire.values) not in (0, _DOUBLE.size * rows):
        _refuse("columns differ in length")
    if not rows:
        return NO_EVENTS
    if rows == 1:
        return EventColumns.of_one(_event(wire, message, sizes))
    weights: Floats = np.frombuffer(wire.weights, "<f4")
    values: Doubles = np.frombuffer(wire.values, "<f8") if wire.values else np.full(rows, np.nan)
    if not np.isfinite(weights).all():
        _refuse("weights: a value is not finite")
    if wire.values and np.isinf(values).any():
        _refuse("values: a value is infinite")
    # Most stretches have few events: one array for all of them costs what one column does.
    table = np.array([list(column) for column in columns], np.int64)
    _check_numbers(table.min(axis=1).tolist(), table.max(axis=1).tolist(), message, sizes)
    base = message.accepted_at_us
    table[3:] += [[base], [message.after_sequence], [base]]
    users, items, types, times_us, sequences, accepted_us = table
    return EventColumns(users, items, types, values, times_us, sequences, weights, accepted_us)


def _event(wire: pb.EventColumns, message: pb.Entries, sizes: tuple[int, int, int]) -> EventRow:
    """Return the only event, checked as columns are, but without arrays: after a pause each of
    their functions costs microseconds.
    """
    (weight,) = _FLOAT.unpack(wire.weights)
    value = _DOUBLE.unpack(wire.values)[0] if wire.values else math.nan
    if not math.isfinite(weight):
        _refuse("weights: a value is not finite")
    if math.isinf(value):
        _refuse("values: a value is infinite")
    numbers = (
        wire.users[0], wire.items[0], wire.types[0],
        wire.time_offsets_us[0], wire.sequence_offsets[0], wire.accepted_offsets_us[0],
    )  # fmt: skip
    _check_numbers(numbers, numbers, message, sizes)
    user, item, kind, time_us, sequence, accepted_us = numbers
    base = message.accepted_at_us
    return EventRow(
        user, item, kind, value, base + time_us, message.after_sequence + sequence, weight,
        base + accepted_us,
    )  # fmt: skip


def _check_numbers(
    smallest: Sequence[int], largest: Sequence[int], message: pb.Entries,
    sizes: tuple[int, int, int],
) -> None:  # fmt: skip
    """Check the least and the most of each column of numbers."""
    for name, most, bound in zip(_INDICES, largest, sizes, strict=False):
        if most >= bound:
            _refuse(f"{name}: {most} is not below {bound}")
    for name, least, most in zip(_OFFSETS, smallest[3:], largest[3:], strict=True):
        if least < -_MOST_US or most > _MOST_US:
            _refuse(f"{name}: out of range")
    base = message.accepted_at_us
    if smallest[3] + base < _FIRST_US or largest[3] + base > _LAST_US:
        _refuse("time_offsets_us: a time lies outside the years 1 to 9999")


def _vectors(wire: pb.UserVectors, message: pb.Entries, size: int) -> UserVectors:
    users = to_ints(wire.users)
    _check_indices("vectors.users", users, size)
    rows = users.shape[0]
    vectors: Floats = np.frombuffer(wire.vectors, "<f4")
    if not rows or not vectors.size:
        _refuse("vectors: there are none")
    if not np.isfinite(vectors).all():
        _refuse("vectors: a value is not finite")
    pinned: Flags = np.array(wire.pinned, np.bool_)
    sequences = _offsets("vectors.sequence_offsets", wire.sequence_offsets, message.after_sequence)
    _check_lengths(rows, pinned, sequences)
    _check_sequences("vectors", sequences, message)
    return UserVectors(wire.generation_id, users, vectors.reshape(rows, -1), pinned, sequences)


def _fact(wire: pb.UserFact, size: int) -> UserFact:
    if wire.user >= size:
        _refuse(f"facts.user: {wire.user} is not below {size}")
    return UserFact(
        wire.user,
        wire.revision,
        wire.attributes.SerializeToString(),
        wire.consent.SerializeToString(),
    )


def _shown(wire: pb.ShownSlate, size: int) -> ShownSlate:
    _names("shown.slate_id", [wire.slate_id])
    if not wire.user_key:
        _refuse("shown.user_key: empty")
    items = list(wire.items)
    if len(set(items)) < len(items) or max(items, default=0) >= size:
        _refuse("shown.items: an index is doubled, or points beyond the items")
    if not wire.slates:
        _refuse("shown.slates: 0")
    return ShownSlate(wire.slate_id, wire.user_key, wire.surface, items, wire.slates)


def _erased(wire: pb.ErasedUser, message: pb.Entries) -> ErasedUser:
    _names("erased.erasure_id", [wire.erasure_id])
    if len(wire.tombstone) != _TOMBSTONE_BYTES:
        _refuse("erased.tombstone: not a SHA-256")
    if not 0 <= wire.erased_at_us <= _MOST_US:
        _refuse("erased.erased_at_us: out of range")
    sequence = message.after_sequence + wire.sequence_offset
    _check_within("erased", sequence, sequence, message)
    return ErasedUser(wire.erasure_id, wire.user_key, wire.tombstone, wire.erased_at_us, sequence)


def _links(wire: pb.TenantEntries, message: pb.Entries, size: int) -> list[UserLink]:
    """Return who is merged and who is not any more, in log order."""
    if not wire.merged and not wire.unmerged:
        return []
    found = [_link(one, message, size, merged=True) for one in wire.merged]
    found += [_link(one, message, size, merged=False) for one in wire.unmerged]
    found.sort(key=lambda one: one.sequence)
    return found


def _link(wire: pb.UserLink, message: pb.Entries, size: int, *, merged: bool) -> UserLink:
    into = wire.into if wire.HasField("into") else None
    direct = wire.direct if wire.HasField("direct") else None
    if max(wire.user, into or 0, direct or 0) >= size:
        _refuse("links: an index points beyond the users")
    if merged and (into is None or into == wire.user):
        _refuse("links: merged into nobody, or into itself")
    sequence = message.after_sequence + wire.sequence_offset
    _check_within("links", sequence, sequence, message)
    return UserLink(
        wire.user, into, direct, merged, wire.revision, wire.since_us, wire.source, sequence
    )


def _items(wire: pb.ItemVisibility, message: pb.Entries, size: int) -> ItemVisibility:
    items = to_ints(wire.items)
    _check_indices("items.items", items, size)
    sequences = _offsets("items.sequence_offsets", wire.sequence_offsets, message.after_sequence)
    visibility = ItemVisibility(
        items,
        np.array(wire.listed, np.bool_),
        np.array(wire.available, np.bool_),
        to_ints(wire.expires_at_us),
        sequences,
    )
    _check_lengths(
        items.shape[0], visibility.listed, visibility.available, visibility.expires_at_us, sequences
    )
    _check_sequences("items", sequences, message)
    return visibility


def _names(what: str, given: Sequence[str]) -> list[str]:
    for name in given:
        if not name or "\0" in name or len(name) > _LONGEST_NAME:
            _refuse(f"{what}: {name[:32]!r} is no name")
    return list(given)


def _offsets(what: str, column: Sequence[int], base: int) -> Ints:
    offsets = to_ints(column)
    if offsets.size and not -_MOST_US <= int(offsets.min()) <= int(offsets.max()) <= _MOST_US:
        _refuse(f"{what}: out of range")
    return offsets + base


def _check_indices(what: str, indices: Ints, bound: int) -> None:
    if indices.size and int(indices.max()) >= bound:
        _refuse(f"{what}: {int(indices.max())} is not below {bound}")


def _check_lengths(rows: int, *columns: np.ndarray) -> None:
    if any(column.shape[0] != rows for column in columns):
        _refuse("columns differ in length")


def _check_sequences(what: str, sequences: Ints, message: pb.Entries) -> None:
    if not sequences.size:
        return
    if not (sequences[1:] > sequences[:-1]).all():
        _refuse(f"{what}.sequence_offsets: not rising")
    _check_within(what, int(sequences[0]), int(sequences[-1]), message)


def _check_within(what: str, first: int, last: int, message: pb.Entries) -> None:
    if not (message.after_sequence < first and last <= message.through_sequence):
        _refuse(f"{what}.sequence_offsets: not within the stretch")


def _refuse(what: str) -> None:
    raise RefusedEntriesError(what)
