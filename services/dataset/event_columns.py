"""Which columns of a file hold what of an event."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.dataset.columns import ColumnError, find_column, require_column


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Where the fields of events are; None: nowhere. `constant_type` is the type of all events."""

    user: str | None
    session: str | None
    item: str
    timestamp: str | None
    type: str | None
    value: str | None
    event_id: str | None
    constant_type: str | None = None


@dataclass(frozen=True, slots=True)
class EventOptions:
    """What the caller says about columns; None: find it by its name."""

    user: str | None = None
    session: str | None = None
    item: str | None = None
    timestamp: str | None = None
    type: str | None = None
    value: str | None = None
    event_id: str | None = None
    constant_type: str | None = None


def event_columns(
    columns: Sequence[str], options: EventOptions, default_type: str | None = None
) -> EventColumns:
    """Return where the fields are; `default_type` is the type when no column says it.

    Raises:
        ColumnError: a required field has no column, or a column given is not there.

    """
    user = find_column("user", columns, options.user)
    session = find_column("session", columns, options.session)
    if user is None and session is None:
        require_column("user", columns)
    constant_type = options.constant_type
    event_type = None
    if constant_type is None:
        event_type = find_column("type", columns, options.type)
        if event_type is None:
            constant_type = default_type
        if event_type is None and constant_type is None:
            raise ColumnError("no column says the type of events: name it with --type-column, or "
                              "say --type view")  # fmt: skip
    return EventColumns(
        user,
        session,
        require_column("item", columns, options.item),
        find_column("timestamp", columns, options.timestamp),
        event_type,
        find_column("value", columns, options.value),
        find_column("event_id", columns, options.event_id),
        constant_type,
    )
