"""What is popular at which place in a user's history, and in a session.

Per item one level for each place: log2 of the sum over its events there of weight * 2^(n / H),
n being how many events of positive weight the tenant had before. So it fades with events, not with
time: a quiet night changes nothing, and a busy shop forgets faster than a quiet one.
"""

from dataclasses import dataclass

import numpy as np

from services.common.history_context import PLACES, place, session_items
from services.feed.parameters import Doubles, Floats, Ints
from services.feedback.learner.model.popularity import PopularityConfig, add_events
from services.feedback.learner.model.user_table import NO_ITEM, Histories


@dataclass(frozen=True, slots=True)
class ContextConfig:
    """half_life_events: events of the tenant after which an event counts half at its place.

    trend_events: those after which it counts half for what is popular just now. Both > 0.
    """

    half_life_events: float = 8_000.0
    trend_events: float = 500.0


def add_in_contexts(
    levels: Doubles,
    events_before: float,
    items: Ints,
    weights: Floats,
    before: Histories,
    times_us: Ints,
    config: ContextConfig,
) -> tuple[Ints, Doubles]:
    """New levels of the cells that a batch touches; ``levels`` itself is left as it is.

    levels: [N, width], the first places in the history, then those in the session; width is at
    least their number. events_before: of positive weight, before the batch. items, weights,
    times_us: [n]; before: histories just before each. Events of weight <= 0 count nothing.
    Returns (cells ascending, item * width + place, and their levels).
    """
    held = before.items != NO_ITEM
    counts = np.empty((items.size, 2), np.int64)
    counts[:, 0] = held.sum(axis=1)
    counts[:, 1] = session_items(before.times_us, held, times_us)
    cells = place(counts)
    cells[:, 1] += PLACES
    cells += (items * levels.shape[1])[:, np.newaxis]
    clock = events_before + (weights > 0).cumsum()
    return add_events(
        levels.ravel(),
        cells.ravel(),
        clock.repeat(2),
        weights.repeat(2),
        PopularityConfig(config.half_life_events),
    )
