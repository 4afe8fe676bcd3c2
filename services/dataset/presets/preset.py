"""What a named format says about files of one kind."""

from collections.abc import Callable
from dataclasses import dataclass, field

from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions
from services.dataset.table.options import ReadOptions


def any_line(_: str) -> bool:
    """Fit every file."""
    return True


@dataclass(frozen=True, slots=True)
class EventShape:
    """Files of events. `fits`: whether the first line is that of such a file."""

    read: ReadOptions = field(default_factory=ReadOptions)
    fields: EventOptions = field(default_factory=EventOptions)
    fits: Callable[[str], bool] = any_line


@dataclass(frozen=True, slots=True)
class ItemShape:
    """Files of items."""

    read: ReadOptions = field(default_factory=ReadOptions)
    fields: ItemOptions = field(default_factory=ItemOptions)
    fits: Callable[[str], bool] = any_line


@dataclass(frozen=True, slots=True)
class UserShape:
    """Files of users. `user`: the column of ids."""

    read: ReadOptions = field(default_factory=ReadOptions)
    user: str | None = None
    fits: Callable[[str], bool] = any_line


@dataclass(frozen=True, slots=True)
class Preset:
    """A named format. Of several shapes the first one that fits a file counts; none: the format has
    no files of that kind.
    """

    name: str
    about: str
    events: tuple[EventShape, ...] = ()
    items: tuple[ItemShape, ...] = ()
    users: tuple[UserShape, ...] = ()
