"""Trains a generation on what is before the split, with the trainer that `harken train` runs."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from services.common.content_features import Content
from services.dataset.history.events import Events
from services.feedback.events.domain.event_types import EventType
from services.system.generation import (
    SystemGeneration,
    engagement,
    trained_generation,
)
from services.system.timeline import Timeline
from services.trainer.generation import GenerationError, read_generation
from services.trainer.parameters import Parameters, ParametersError, read_parameters
from services.trainer.training_data import TrainingDataError, training_data

Bars = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class TrainingError(Exception):
    """Nothing can be trained; the message says why."""


def train_before_split(
    timeline: Timeline,
    contents: Mapping[str, Content],
    types: Mapping[str, EventType],
    parameters: Path | None,
    keep_anyway: bool,
    bars: Bars,
    say: Callable[[str], None],
) -> SystemGeneration | None:
    """Return a generation that has seen nothing from the split on, not even names of items.

    None: none was better than what is learned online; with `keep_anyway` there is one all the same.

    Raises:
        TrainingError: the extra `train` is missing, or there is too little to train on.

    """
    try:
        # Only whoever trains needs the extra.
        from services.trainer import run
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"training needs {error.name}: pip install 'harken[train]', or leave out --train"
        ) from None
    with tempfile.TemporaryDirectory(prefix="harken-evaluate-") as folder:
        out = Path(folder) / "generation"
        try:
            data = training_data(events_before_split(timeline), contents, types, validation=0.2)
            plan = run.Plan(
                generation_id="trained",
                out=out,
                work=Path(folder) / "work",
                outcomes=engagement(timeline.events.types),
                parameters=Parameters() if parameters is None else read_parameters(parameters),
                keep_anyway=keep_anyway,
            )
            trained = run.TrainingRun(data, plan, bars).run()
        except (TrainingDataError, ParametersError) as error:
            raise TrainingError(str(error)) from None
        for name, text in trained.notes.items():
            say(f"training: {name}: {text}")
        return trained_generation(*read_generation(out)) if trained.made else None


def read_trained(folder: Path) -> SystemGeneration:
    """Return a generation that `harken train` wrote.

    Raises:
        TrainingError: it is none.

    """
    try:
        return trained_generation(*read_generation(folder))
    except (GenerationError, ValueError) as error:
        raise TrainingError(str(error)) from None


def events_before_split(timeline: Timeline) -> Events:
    """Return events before the split, with the ids of only those items that are known there."""
    events = timeline.events.head(timeline.split)
    known = max(timeline.listed, int(events.items.max(initial=-1)) + 1)
    return Events(
        events.user_ids,
        # Listed items first, then others in order of their first events.
        events.item_ids[:known],
        events.types,
        events.users,
        events.items,
        events.kinds,
        events.values,
        events.times_us,
    )
