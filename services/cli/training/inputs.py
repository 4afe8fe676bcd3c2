"""Reading what to train on."""

from collections.abc import Sequence
from pathlib import Path

from services.cli.failures import CommandError
from services.cli.history_options import (
    RowsSaid,
    read_contents,
    read_history,
    say_left_out,
    say_unknown_types,
)
from services.cli.reading import EventMapping, Reading, opened_events, say_notes
from services.trainer.mapped_events import map_events, map_weights
from services.trainer.presets import event_types_of
from services.trainer.training_data import TrainingData, TrainingDataError, training_data


def read_training_data(
    files: Sequence[str] | None,
    items: Sequence[str] | None,
    reading: Reading,
    mapping: EventMapping,
    separator: str | None,
    preset: str,
    validation: float,
    head: float = 1.0,
    mapped: Path | None = None,
) -> TrainingData:
    """Read events and items; only the first `head` (a share) of events is used.

    mapped: folder for the columns of events, which then are not in memory.

    Raises:
        CommandError: there is nothing to train on, or no such preset.
        ColumnError, SourceError: as read_events and read_items.

    """
    try:
        types = event_types_of(preset)
    except ValueError as error:
        raise CommandError(str(error)) from None
    weights = None
    if mapped is None:
        events = read_history(files, reading, mapping)
    else:
        with opened_events(files, reading, mapping) as (table, options):
            events = map_events(table, mapped, options, RowsSaid(table.name))
            weights = map_weights(events, types, mapped / "learning_weights.bin")
            say_notes(table)
        say_left_out(events)
    say_unknown_types(events, types, preset)
    content = read_contents(items, reading.format_name, separator)
    try:
        used = events.head(int(len(events) * head))
        weights = None if weights is None else weights[: len(used)]
        return training_data(used, content, types, validation, weights)
    except TrainingDataError as error:
        raise CommandError(str(error)) from None
