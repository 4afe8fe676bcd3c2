"""Consecutive events of a history as one request of ImportEvents."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harken.feedback.v1 import event_columns_pb2, event_pb2, feedback_service_pb2
from services.dataset.faults import FaultyRow, RowFault
from services.dataset.fields.event_fields import EventFields
from services.dataset.history.event_batch import NO_TIME, EventBatch, slice_of
from services.dataset.history.event_ids import EventIds

CHUNK_EVENTS = 5_000
"""Events in one request; the service takes up to 20,000."""

_CHUNK_BYTES = 3 * 1024 * 1024
_EVENT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Window:
    """Events of a history that are meant: those from `first` on, in order, and before `end`."""

    first: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Events to send, and faulty rows that stand among them; `rows`: how many rows of the history
    are done once it is answered.
    """

    batch: EventBatch
    event_ids: Sequence[str]
    rows: int

    def request(self, tenant: str) -> feedback_service_pb2.ImportEventsRequest | None:
        """Return the request, None when there is no event to send."""
        if not self.event_ids:
            return None
        request = feedback_service_pb2.ImportEventsRequest(tenant=tenant)
        _fill(request.columns, self.batch, self.event_ids)
        return request

    def items(self) -> Sequence[str]:
        """Return the distinct items of the events."""
        return list(dict.fromkeys(self.batch.items))

    def faulty(
        self, answer: feedback_service_pb2.ImportEventsResponse, fields: EventFields
    ) -> tuple[list[FaultyRow], list[FaultyRow]]:
        """Return the rows that were quarantined, and those that were rejected, here or there."""
        quarantined: list[FaultyRow] = []
        rejected = list(self.batch.faults)
        for result in answer.faults:
            row = self._faulty(result, fields)
            held = result.outcome == event_pb2.EVENT_OUTCOME_QUARANTINED
            (quarantined if held else rejected).append(row)
        return quarantined, sorted(rejected, key=lambda one: one.number)

    def _faulty(self, result: event_pb2.EventResult, fields: EventFields) -> FaultyRow:
        batch, row = self.batch, result.ordinal
        reason = event_pb2.EventReason.Name(result.reason).removeprefix("EVENT_REASON_")
        time_us = int(batch.times_us[row])
        cells: dict[str, object] = {
            "event_id": self.event_ids[row],
            "user": batch.users[row],
            "session": batch.sessions[row],
            "item": batch.items[row],
            "type": batch.types[row],
            "timestamp_us": None if time_us == NO_TIME else time_us,
            "value": None if np.isnan(batch.values[row]) else float(batch.values[row]),
        }
        said, column = _place(reason, result.detail, fields)
        value = cells.get(said)
        fault = RowFault(reason, result.detail, column, "" if value is None else str(value))
        if reason in _HINTS:
            fault = replace(fault, detail=f"{fault.detail} ({_HINTS[reason]})")
        shown = {name: cell for name, cell in cells.items() if cell not in ("", None)}
        return FaultyRow(batch.numbers[row], batch.lines[row], batch.files[row], fault, shown)


def chunks_of(
    batches: Iterator[EventBatch],
    line_ids: bool,
    window: Window,
    chunk_events: int = CHUNK_EVENTS,
) -> Iterator[EventChunk]:
    """Yield all events of a history, which begins at its first one, in chunks.

    The chunks of one history are always the same ones.
    """
    ids = EventIds(line_ids)
    seen, rows = 0, 0
    for batch in batches:
        event_ids = ids.of(batch)
        begin = min(max(0, window.first - seen), len(batch))
        end = len(batch) if window.end is None else min(len(batch), max(0, window.end - seen))
        seen += len(batch)
        faults = batch.faults
        size = _events_at_once(batch, chunk_events)
        for start in range(begin, max(begin, end), size):
            stop = min(end, start + size)
            part = slice_of(batch, start, stop, faults)
            rows += stop - start + len(faults)
            faults = ()
            yield EventChunk(part, event_ids[start:stop], rows)
        if faults:
            rows += len(faults)
            yield EventChunk(slice_of(batch, 0, 0, faults), (), rows)


def _events_at_once(batch: EventBatch, most: int) -> int:
    """Return how many events make a request that is not too large."""
    if batch.contexts is None:
        return most
    size = max(sum(len(k) + len(v) for k, v in one.items()) for one in batch.contexts)
    return max(1, min(most, _CHUNK_BYTES // (_EVENT_BYTES + 4 * size)))


_HINTS = {
    "EVENT_ID_REUSED": "ids of several lines: --line-ids",
    "UNKNOWN_TYPE": "what the file calls a type: --map-type NAME=TYPE",
}
"""What may help, by reason."""

_FIELDS = {
    "UNKNOWN_ITEM": "item",
    "MISSING_ITEM": "item",
    "UNKNOWN_TYPE": "type",
    "MISSING_TYPE": "type",
    "VALUE_OUT_OF_RANGE": "value",
    "MISSING_VALUE": "value",
    "TIME_IN_FUTURE": "timestamp_us",
    "TIME_TOO_OLD": "timestamp_us",
    "INVALID_TIME": "timestamp_us",
    "EVENT_ID_REUSED": "event_id",
}


def _place(reason: str, detail: str, fields: EventFields) -> tuple[str, str]:
    """Return the field that a service complains of, and its column in the source."""
    columns: dict[str, str | None] = {
        "item": fields.item,
        "type": fields.type,
        "value": fields.value,
        "timestamp_us": fields.timestamp,
        "event_id": fields.event_id,
        "subject": fields.user or fields.session,
    }
    # "item_id is longer than ...": ids are named in the sentence.
    field = _FIELDS.get(reason) or detail.partition(" ")[0].removesuffix("_id")
    field = "event_id" if field == "event" else field
    return field, columns.get(field) or ""


def _fill(
    columns: event_columns_pb2.EventColumns, batch: EventBatch, event_ids: Sequence[str]
) -> None:
    columns.event_ids.extend(event_ids)
    users = _indices(batch.users)
    sessions = _indices(batch.sessions)
    columns.user_ids.extend(users)
    columns.session_ids.extend(sessions)
    if sessions:
        more = len(users) + 1
        columns.subjects.extend(
            [users[user] + 1 if user else sessions[session] + more
             for user, session in zip(batch.users, batch.sessions, strict=True)]
        )  # fmt: skip
    else:
        columns.subjects.extend([users[user] + 1 for user in batch.users])
    items = _indices(batch.items)
    columns.item_ids.extend(items)
    columns.items.extend(list(map(items.__getitem__, batch.items)))
    types = _indices(batch.types)
    columns.types.extend(types)
    columns.type_indices.extend(list(map(types.__getitem__, batch.types)))
    absent = np.isnan(batch.values)
    if not absent.all():
        columns.values.extend(batch.values.tolist())
        if absent.any():
            columns.has_value.extend((~absent).tolist())
    if (batch.times_us != NO_TIME).any():
        columns.event_times_us.extend(batch.times_us.tolist())
    if batch.slate_ids is not None and any(batch.slate_ids):
        columns.slate_ids.extend(batch.slate_ids)
    if batch.contexts is not None and any(batch.contexts):
        for context in batch.contexts:
            columns.contexts.add(entries=context)


def _indices(names: Sequence[str]) -> dict[str, int]:
    """Return the distinct names, "" left out, and their indices in order of first appearance."""
    distinct = dict.fromkeys(names)
    distinct.pop("", None)
    return {name: index for index, name in enumerate(distinct)}


Batches = Callable[[], Iterator[EventBatch]]
"""Yields a history from its beginning, each time it is called."""
