"""Which columns of a table hold what of an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.dataset.faults import ColumnError
from services.dataset.fields.columns import Columns, find_column, require_column
from services.dataset.values.cells import DecimalMark
from services.dataset.values.times import TimeOptions

EXPORT_COLUMNS = ("event_id", "user", "session", "item", "type", "value", "timestamp", "slate_id",
                  "context")  # fmt: skip
"""Of `harken export`: texts of such a file are taken as they are."""


@dataclass(frozen=True, slots=True)
class EventOptions:
    """What the caller says about events; a column that is None is found by its name.

    constant_type: the type of all events. type_map: types by what the file calls them. line_ids:
    an event id names several lines, such as an order its products: make one of each line.
    decimal: how values in text are written.
    """

    user: str | None = None
    session: str | None = None
    item: str | None = None
    timestamp: str | None = None
    type: str | None = None
    value: str | None = None
    event_id: str | None = None
    constant_type: str | None = None
    type_map: Mapping[str, str] = field(default_factory=dict)
    times: TimeOptions = field(default_factory=TimeOptions)
    line_ids: bool = False
    decimal: DecimalMark = DecimalMark.POINT


@dataclass(frozen=True, slots=True)
class EventFields:
    """Where the fields of events are; None: nowhere. `exact`: texts are taken as they are. The rest
    is as in EventOptions.
    """

    user: str | None
    session: str | None
    item: str
    timestamp: str | None
    type: str | None
    value: str | None
    event_id: str | None
    slate_id: str | None
    context: str | None
    constant_type: str | None
    type_map: Mapping[str, str]
    times: TimeOptions
    line_ids: bool
    decimal: DecimalMark
    exact: bool


def event_fields(
    table: Columns, options: EventOptions, default_type: str | None = None
) -> EventFields:
    """Return where the fields are; `default_type` is the type when no column says it.

    Raises:
        ColumnError: a required field has no column, or a column is not there, or twice.

    """
    user = find_column("user", table, options.user)
    session = find_column("session", table, options.session)
    if user is None and session is None:
        require_column("user", table, options.user)
    item = require_column("item", table, options.item)
    constant_type = options.constant_type
    if constant_type is not None and not constant_type.strip():
        raise ColumnError("the type of all events is empty: say such as --type view")
    event_type = None
    if constant_type is None:
        event_type = find_column("type", table, options.type)
        if event_type is None:
            constant_type = default_type
        if event_type is None and constant_type is None:
            raise ColumnError(
                "no column says the type of events: name it with --type-column, or say --type view"
            )
    slate_id = find_column("slate_id", table)
    return EventFields(
        user=user,
        session=session,
        item=item,
        timestamp=find_column("timestamp", table, options.timestamp),
        type=event_type,
        value=find_column("value", table, options.value),
        event_id=find_column("event_id", table, options.event_id),
        slate_id=slate_id,
        # Of our own export. What others call a context is theirs.
        context="context" if slate_id is not None and table.has("context") else None,
        constant_type=constant_type,
        type_map=options.type_map,
        times=options.times,
        line_ids=options.line_ids,
        decimal=options.decimal,
        exact=set(table.columns) == set(EXPORT_COLUMNS),
    )
