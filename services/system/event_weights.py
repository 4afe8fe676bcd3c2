"""Learning weights of a history, as the feedback service gives them when it accepts events."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from services.dataset.history.events import Events
from services.feedback.events.domain.event_types import EventType

UNKNOWN = EventType(weight=1.0)
"""What an event type is taken for that nobody configured: a plain positive."""


def event_weights(events: Events, types: Mapping[str, EventType]) -> npt.NDArray[np.float32]:
    """Return the learning weight of every event, float32 [n].

    Types that `types` does not know weigh 1 (the service would set such events aside). A value
    outside of its range counts as the nearest inside.
    """
    weights = np.zeros(len(events), np.float32)
    for code, name in enumerate(events.types):
        kind = types.get(name, UNKNOWN)
        mine = np.flatnonzero(events.kinds == code)
        values, inverse = np.unique(events.values[mine], return_inverse=True)
        found = [
            kind.learning_weight(None if np.isnan(value) else value) for value in values.tolist()
        ]
        weights[mine] = np.array(found, np.float32)[inverse] if found else 0
    return weights
