"""Events in columns: from the wire to the log, with little work for each event.

What an event has in common with others (its user, item and type) is checked, hashed and encoded
once. Whole columns are checked at once, and an event with anything about it that is not plain takes
the way of single events, so that it comes out exactly as if it had come alone.

The log entry is put together from encoded fields: a message is its fields one after the other.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_columns_pb2, event_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.validation import MAX_ID_BYTES, Checks, id_fault
from services.feedback.events.domain.event_cleaning import NO_FIELD, hashed, hashed_field
from services.feedback.events.event_conversion import (
    MAX_SLATE_ID_BYTES,
    MAX_VALUE,
    EventPreparer,
    PlainType,
    PreparedRequest,
    entry_of,
)

MAX_EVENTS = 20_000

_LOGGED = entry_pb2.LoggedEvent
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Names:
    """Distinct values of a column: plain or not, and how they are hashed and logged.

    Made for a value when an event first has it: `ready` says for which.
    """

    size: int
    ready: Flags = field(init=False)
    plain: Flags = field(init=False)
    keys: list[bytes] = field(init=False)
    hashes: list[bytes] = field(init=False)
    logged: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.ready = np.zeros(self.size, np.bool_)
        self.plain = np.zeros(self.size, np.bool_)
        self.keys = [b""] * self.size
        self.hashes = [b""] * self.size
        self.logged = [b""] * self.size

    def news(self, indices: Ints) -> list[int]:
        """Return those of the indices that are not ready, once each; they are, from now on."""
        new: list[int] = np.unique(indices[~self.ready[indices]]).tolist()
        self.ready[new] = True
        return new

    def add(self, index: int, number: int, value: bytes) -> None:
        """Take a plain value; `number` of its field of the log entry."""
        self.plain[index] = True
        self.keys[index] = value
        self.hashes[index] = hashed_field(value)
        self.logged[index] = _bytes_field(number, value)


class EventColumns:
    """The columns of a request, of the same length, their indices in range."""

    def __init__(self, wire: event_columns_pb2.EventColumns, checks: Checks) -> None:
        """Read columns; faults go to `checks`, and then nothing may be asked of this."""
        self.event_ids = list(wire.event_ids)
        self.user_ids = list(wire.user_ids)
        self.session_ids = list(wire.session_ids)
        self.item_ids = list(wire.item_ids)
        self.types = list(wire.types)
        self.subjects = np.array(list(wire.subjects), np.int64)
        self.items = np.array(list(wire.items), np.int64)
        self.type_indices = np.array(list(wire.type_indices), np.int64)
        self.values = np.array(list(wire.values), np.float64)
        self.has_value = _given(list(wire.has_value), len(wire.values))
        self.times_us = np.array(list(wire.event_times_us), np.int64)
        self.has_time = _given(list(wire.has_event_time), len(wire.event_times_us))
        self.slate_ids = list(wire.slate_ids)
        self.contexts = wire.contexts
        checks.size("columns.event_ids", len(self), 1, MAX_EVENTS)
        subjects = len(self.user_ids) + len(self.session_ids) + 1
        self._check_indices(checks, "subjects", self.subjects, subjects)
        self._check_indices(checks, "items", self.items, len(self.item_ids))
        self._check_indices(checks, "type_indices", self.type_indices, len(self.types))
        for name, length in (
            ("values", len(self.values)),
            ("event_times_us", len(self.times_us)),
            ("slate_ids", len(self.slate_ids)),
            ("contexts", len(self.contexts)),
        ):
            if length not in (0, len(self)):
                checks.fail(f"columns.{name}", f"must be empty or have {self._lengths(length)}")
        for name, given, length in (
            ("has_value", len(wire.has_value), len(self.values)),
            ("has_event_time", len(wire.has_event_time), len(self.times_us)),
        ):
            if given not in (0, length):
                what = "values" if name == "has_value" else "event_times_us"
                checks.fail(
                    f"columns.{name}",
                    f"must be empty or have {length} elements as {what}, has {given}",
                )

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self.event_ids)

    def _lengths(self, length: int) -> str:
        return f"{len(self)} elements as event_ids, has {length}"

    def _check_indices(self, checks: Checks, name: str, indices: Ints, size: int) -> None:
        if len(indices) != len(self):
            checks.fail(f"columns.{name}", f"must have {self._lengths(len(indices))}")
        wrong = (indices >= size).nonzero()[0]
        if wrong.size:
            first = int(wrong[0])
            checks.fail(
                f"columns.{name}", f"element {first} is {indices[first]}, must be below {size}"
            )

    def subject(self, index: int) -> subject_pb2.Subject:
        """Return a subject, 0: without anybody."""
        if index == 0:
            return subject_pb2.Subject()
        if index <= len(self.user_ids):
            return subject_pb2.Subject(user_id=self.user_ids[index - 1])
        return subject_pb2.Subject(session_id=self.session_ids[index - 1 - len(self.user_ids)])

    def event(self, index: int) -> event_pb2.Event:
        """Return an event by itself."""
        event = event_pb2.Event(
            event_id=self.event_ids[index],
            item_id=self.item_ids[self.items[index]],
            type=self.types[self.type_indices[index]],
            slate_id=self.slate_ids[index] if self.slate_ids else "",
        )
        subject = self.subject(int(self.subjects[index]))
        if subject.WhichOneof("kind") is not None:
            event.subject.CopyFrom(subject)
        if len(self.values) and self.has_value[index]:
            event.value = self.values[index]
        if len(self.times_us) and self.has_time[index]:
            seconds, micros = divmod(int(self.times_us[index]), 1_000_000)
            event.event_time.seconds, event.event_time.nanos = seconds, micros * 1000
        if self.contexts:
            event.context.update(self.contexts[index].entries)
        return event


class ColumnPreparer:
    """Prepares the columns of one request, slice by slice."""

    def __init__(self, tenant: str, columns: EventColumns, preparer: EventPreparer) -> None:
        self._columns = columns
        self._preparer = preparer
        self._fingerprint_key = preparer.pseudonyms.fingerprint_key
        self._subjects = _Names(len(columns.user_ids) + len(columns.session_ids) + 1)
        self._items = _Names(len(columns.item_ids))
        self._types = _Names(len(columns.types))
        self._kinds = [preparer.plain_types.get(name) for name in columns.types]
        self._weights = [b""] * len(columns.types)
        self._request = PreparedRequest(tenant)

    def slices(self, size: int) -> Iterator[None]:
        """Prepare all events, `size` of them between two yields."""
        for start in range(0, len(self._columns), size):
            if start:
                yield
            self._prepare(start, min(start + size, len(self._columns)))

    def done(self) -> PreparedRequest:
        """Return the request; after all slices."""
        return self._request

    def _prepare(self, start: int, end: int) -> None:
        own = slice(start, end)
        columns = self._columns
        subjects, items = columns.subjects[own], columns.items[own]
        types = columns.type_indices[own]
        self._ready(subjects, items, types)
        plain = self._subjects.plain[subjects] & self._items.plain[items] & self._types.plain[types]
        ids = columns.event_ids[own]
        encoded_ids = _encoded_ids(ids, plain)
        value_hashes, value_fields = self._values(own, types, plain)
        weight_fields = self._weighed(own, types, plain)
        time_hashes, time_fields = self._times(own, plain)
        slate_hashes, slate_fields = self._slates(own, plain)
        if columns.contexts:
            plain &= [not context.entries for context in columns.contexts[own]]
        of_subject, of_item, of_type = subjects.tolist(), items.tolist(), types.tolist()
        fields = zip(
            _each(self._subjects.hashes, of_subject),
            _each(self._items.hashes, of_item),
            _each(self._types.hashes, of_type),
            slate_hashes,
            value_hashes,
            time_hashes,
            strict=True,
        )
        # In the order of their numbers, as protobuf would write them.
        logged = zip(
            [_bytes_field(_LOGGED.EVENT_ID_FIELD_NUMBER, name) for name in encoded_ids],
            _each(self._subjects.logged, of_subject),
            _each(self._items.logged, of_item),
            _each(self._types.logged, of_type),
            value_fields,
            time_fields,
            slate_fields,
            weight_fields,
            strict=True,
        )
        prepared = (
            [self._request.tenant] * len(ids),
            ids,
            _each(columns.item_ids, of_item),
            map(hashed, map(b"".join, fields), itertools.repeat(self._fingerprint_key)),
            _each(self._subjects.keys, of_subject),
            [0] * len(ids),
            map(entry_of, map(b"".join, logged)),
        )
        if plain.all():
            self._request.events.extend(prepared)
            self._request.ordinals.extend(range(start, end))
            return
        rows = zip(*prepared, strict=True)
        for ordinal, is_plain, row in zip(range(start, end), plain.tolist(), rows, strict=True):
            if is_plain:
                _, event_id, item_id, fingerprint, user_key, _, entry = row
                self._request.keep(ordinal, event_id, item_id, fingerprint, user_key, entry)
            else:
                self._preparer.add_any(self._request, ordinal, columns.event(ordinal))

    def _ready(self, subjects: Ints, items: Ints, types: Ints) -> None:
        columns = self._columns
        for index in self._subjects.news(subjects):
            # 0 is nobody.
            subject = columns.subject(index)
            if index and id_fault(subject.user_id or subject.session_id) is None:
                number = _LOGGED.USER_KEY_FIELD_NUMBER
                user_key = self._preparer.pseudonyms.key_of(self._request.tenant, subject)
                self._subjects.add(index, number, user_key)
                if self._preparer.pseudonyms.keyed:
                    self._request.names[user_key] = subject.user_id or subject.session_id
        for index in self._items.news(items):
            item_id = columns.item_ids[index]
            if id_fault(item_id) is None:
                self._items.add(index, _LOGGED.ITEM_ID_FIELD_NUMBER, item_id.encode())
        for index in self._types.news(types):
            kind, name = self._kinds[index], columns.types[index]
            if kind is not None:
                self._types.add(index, _LOGGED.TYPE_FIELD_NUMBER, name.encode())
                self._weights[index] = _LOGGED(weight=kind.kind.weight).SerializeToString()

    def _plain_kinds(self, types: Ints) -> Iterator[tuple[Flags, PlainType]]:
        """Yield the plain ones of some types, with the events that have each."""
        for index in np.unique(types).tolist():
            if (kind := self._kinds[index]) is not None:
                yield types == index, kind

    def _values(
        self, own: slice, types: Ints, plain: Flags
    ) -> tuple[Iterable[bytes], Iterable[bytes]]:
        """Return values hashed and logged; take from `plain` what has a fault."""
        columns = self._columns
        if not len(columns.values):
            for own_type, kind in self._plain_kinds(types):
                if kind.needs_value:
                    plain &= ~own_type
            return _no_fields(own)
        given, values = columns.has_value[own], columns.values[own]
        least, most = np.full(len(values), -MAX_VALUE), np.full(len(values), MAX_VALUE)
        for own_type, kind in self._plain_kinds(types):
            if kind.needs_value:
                plain &= ~own_type | given
            least[own_type], most[own_type] = kind.least, kind.most
        plain &= ~given | ((least <= values) & (values <= most))
        # -0.0 as 0.0.
        hashes = _records([(">u4", np.full(len(values), 8)), (">f8", values + 0.0)])
        tag = np.full(len(values), _tag(_LOGGED.VALUE_FIELD_NUMBER, _EIGHT_BYTES))
        logged = _records([("u1", tag), ("<f8", values)])
        return _where(given, hashes, NO_FIELD), _where(given, logged, b"")

    def _weighed(self, own: slice, types: Ints, plain: Flags) -> Iterable[bytes]:
        """Return the weights logged."""
        columns = self._columns
        fields = list(_each(self._weights, types.tolist()))
        if not len(columns.values):
            return fields
        given, values = columns.has_value[own], columns.values[own]
        for own_type, kind in self._plain_kinds(types):
            if kind.kind.factors:
                rows = (own_type & given & plain).nonzero()[0]
                weights = _weight_fields(kind.kind.learning_weights(values[rows]))
                for row, weight in zip(rows.tolist(), weights, strict=True):
                    fields[row] = weight
        return fields

    def _times(self, own: slice, plain: Flags) -> tuple[Iterable[bytes], Iterable[bytes]]:
        """Return times hashed and logged; take from `plain` what has a fault."""
        columns = self._columns
        if not len(columns.times_us):
            return _no_fields(own)
        given, times_us = columns.has_time[own], columns.times_us[own]
        oldest, newest = self._preparer.plain_times()
        plain &= ~given | ((times_us >= oldest) & (times_us <= newest))
        hashes = _records([(">u4", np.full(len(times_us), 8)), (">i8", times_us)])
        logged = _zigzag_fields(_LOGGED.EVENT_TIME_US_FIELD_NUMBER, times_us)
        return _where(given, hashes, NO_FIELD), _where(given, logged, b"")

    def _slates(self, own: slice, plain: Flags) -> tuple[Iterable[bytes], Iterable[bytes]]:
        """Return slate ids hashed and logged; take from `plain` what has a fault."""
        names = self._columns.slate_ids[own]
        if not names:
            return _no_fields(own)
        fine = [not name or id_fault(name, MAX_SLATE_ID_BYTES) is None for name in names]
        plain &= fine
        encoded = [name.encode() if ok else b"" for name, ok in zip(names, fine, strict=True)]
        number = _LOGGED.SLATE_ID_FIELD_NUMBER
        logged = [_bytes_field(number, name) if name else b"" for name in encoded]
        return map(hashed_field, encoded), logged


def _no_fields(own: slice) -> tuple[list[bytes], list[bytes]]:
    """Return a field that no event has, hashed and logged."""
    return [NO_FIELD] * (own.stop - own.start), [b""] * (own.stop - own.start)


def _given(flags: Sequence[bool], size: int) -> Flags:
    return np.array(flags, np.bool_) if flags else np.ones(size, np.bool_)


def _each(values: Sequence[bytes] | Sequence[str], indices: Iterable[int]) -> Iterator:
    return map(values.__getitem__, indices)


def _where(given: Flags, parts: list[bytes], otherwise: bytes) -> Iterable[bytes]:
    if given.all():
        return parts
    return [part if there else otherwise for part, there in zip(parts, given.tolist(), strict=True)]


def _encoded_ids(ids: Sequence[str], plain: Flags) -> list[bytes]:
    """Return ids as UTF-8; take from `plain` what has a fault, and give nothing for it."""
    joined = "".join(ids)
    if joined.isascii() and joined.isprintable():
        sizes = list(map(len, ids))
        if min(sizes) > 0 and max(sizes) <= MAX_ID_BYTES:
            return list(map(str.encode, ids))
    fine = [id_fault(name) is None for name in ids]
    plain &= fine
    return [name.encode() if ok else b"" for name, ok in zip(ids, fine, strict=True)]


def _records(columns: Sequence[tuple[str, npt.NDArray]]) -> list[bytes]:
    """Return the bytes of records of these columns, each with its type."""
    layout = np.dtype([(str(index), kind) for index, (kind, _) in enumerate(columns)])
    records = np.empty(len(columns[0][1]), layout)
    for index, (_, values) in enumerate(columns):
        records[str(index)] = values
    found: list[bytes] = records.view(f"V{layout.itemsize}").tolist()
    return found


def _weight_fields(weights: Doubles) -> list[bytes]:
    """Return weights as fields; one that is zero is none."""
    with np.errstate(over="ignore"):
        singles = weights.astype("<f4")
    tag = np.full(len(weights), _tag(_LOGGED.WEIGHT_FIELD_NUMBER, _FOUR_BYTES))
    fields = _records([("u1", tag), ("<f4", singles)])
    # -0.0 is another number to protobuf.
    there = singles.view("<u4") != 0
    return list(_where(there, fields, b""))


def _tag(number: int, kind: int) -> int:
    return number << 3 | kind


@functools.cache
def _prefix(number: int, size: int) -> bytes:
    """Return what comes before `size` bytes, below 16,384, of a field below 16."""
    tag = _tag(number, _BYTES)
    if size < 128:
        return bytes((tag, size))
    return bytes((tag, size & 127 | 128, size >> 7))


def _bytes_field(number: int, value: bytes) -> bytes:
    return _prefix(number, len(value)) + value


def _zigzag_fields(number: int, values: Ints) -> list[bytes]:
    """Return fields of type sint64: groups of 7 bits, lowest first, all but the last marked."""
    zigzag = ((values << 1) ^ (values >> 63)).view(np.uint64)
    groups = (zigzag[:, np.newaxis] >> np.arange(0, 70, 7, dtype=np.uint64)).astype(np.uint8) & 127
    sizes = 10 - (groups[:, ::-1] != 0).argmax(axis=1)
    sizes[zigzag == 0] = 1
    fields = np.empty((len(values), 11), np.uint8)
    fields[:, 0] = _tag(number, _VARINT)
    fields[:, 1:] = groups | (np.arange(1, 11) < sizes[:, np.newaxis]) * np.uint8(128)
    content = fields.tobytes()
    return [
        content[start : start + 1 + size]
        for start, size in zip(range(0, len(content), 11), sizes.tolist(), strict=True)
    ]
