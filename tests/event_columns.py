"""Events to columns and back, the plain way: for tests of those who send or take columns."""

from collections.abc import Sequence

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_columns_pb2, event_pb2


def columns_of(events: Sequence[event_pb2.Event]) -> event_columns_pb2.EventColumns:
    """Return the columns of events whose times are whole microseconds."""
    columns = event_columns_pb2.EventColumns(
        event_ids=[event.event_id for event in events],
        user_ids=sorted({e.subject.user_id for e in events if e.subject.HasField("user_id")}),
        session_ids=sorted(
            {e.subject.session_id for e in events if e.subject.HasField("session_id")}
        ),
        item_ids=sorted({event.item_id for event in events}),
        types=sorted({event.type for event in events}),
    )
    users, sessions = list(columns.user_ids), list(columns.session_ids)
    items, types = list(columns.item_ids), list(columns.types)
    for event in events:
        match event.subject.WhichOneof("kind"):
            case "user_id":
                columns.subjects.append(1 + users.index(event.subject.user_id))
            case "session_id":
                columns.subjects.append(1 + len(users) + sessions.index(event.subject.session_id))
            case _:
                columns.subjects.append(0)
        columns.items.append(items.index(event.item_id))
        columns.type_indices.append(types.index(event.type))
    if any(event.HasField("value") for event in events):
        columns.values.extend(event.value for event in events)
        if not all(event.HasField("value") for event in events):
            columns.has_value.extend(event.HasField("value") for event in events)
    if any(event.HasField("event_time") for event in events):
        columns.event_times_us.extend(
            event.event_time.seconds * 1_000_000 + event.event_time.nanos // 1000
            for event in events
        )
        if not all(event.HasField("event_time") for event in events):
            columns.has_event_time.extend(event.HasField("event_time") for event in events)
    if any(event.slate_id for event in events):
        columns.slate_ids.extend(event.slate_id for event in events)
    if any(event.context for event in events):
        for event in events:
            columns.contexts.add().entries.update(event.context)
    return columns


def events_of(columns: event_columns_pb2.EventColumns) -> list[event_pb2.Event]:
    """Return the events of columns, which are in order."""
    subjects = [
        subject_pb2.Subject(),
        *(subject_pb2.Subject(user_id=name) for name in columns.user_ids),
        *(subject_pb2.Subject(session_id=name) for name in columns.session_ids),
    ]
    events = []
    for index, event_id in enumerate(columns.event_ids):
        event = event_pb2.Event(
            event_id=event_id,
            item_id=columns.item_ids[columns.items[index]],
            type=columns.types[columns.type_indices[index]],
        )
        if columns.subjects[index]:
            event.subject.CopyFrom(subjects[columns.subjects[index]])
        if columns.values and (not columns.has_value or columns.has_value[index]):
            event.value = columns.values[index]
        if columns.event_times_us and (not columns.has_event_time or columns.has_event_time[index]):
            event.event_time.FromMicroseconds(columns.event_times_us[index])
        if columns.slate_ids:
            event.slate_id = columns.slate_ids[index]
        if columns.contexts:
            event.context.update(columns.contexts[index].entries)
        events.append(event)
    return events
