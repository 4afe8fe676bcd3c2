"""Reading what to train on."""

from pathlib import Path

from services.cli.console import messages
from services.cli.failures import CommandError
from services.common.content_features import Content
from services.dataset.event_columns import EventOptions
from services.dataset.event_file import read_events
from services.dataset.item_columns import ItemOptions
from services.dataset.items import read_items
from services.trainer.mapped_events import map_events, map_weights
from services.trainer.presets import event_types_of
from services.trainer.training_data import TrainingData, TrainingDataError, training_data


def read_training_data(
    file: Path,
    items: Path | None,
    options: EventOptions,
    separator: str,
    preset: str,
    validation: float,
    head: float = 1.0,
    mapped: Path | None = None,
) -> TrainingData:
    """Read events and items; only the first `head` (a share) of events is used.

    mapped: folder for the columns of events, which then are not in memory.

    Raises:
        CommandError: there is nothing to train on, or no such preset.
        ColumnError, TableFileError: as read_events and read_items.

    """
    try:
        types = event_types_of(preset)
    except ValueError as error:
        raise CommandError(str(error)) from None
    weights = None
    if mapped is None:
        events = read_events(file, options)
    else:
        events = map_events(file, mapped, options)
        weights = map_weights(events, types, mapped / "learning_weights.bin")
    if events.rejected:
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in events.rejected.items())
        messages().print(f"[yellow]rows left out: {left_out}[/]")
    content: dict[str, Content] = {}
    if items is not None:
        content = read_items(items, ItemOptions(separator=separator))
    try:
        used = events.head(int(len(events) * head))
        weights = None if weights is None else weights[: len(used)]
        return training_data(used, content, types, validation, weights)
    except TrainingDataError as error:
        raise CommandError(str(error)) from None
