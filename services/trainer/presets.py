"""Event types and outcomes of a preset, as the feedback service has them."""

import re
from collections.abc import Mapping, Sequence

from services.feedback.events.domain.event_types import PRESETS, EventType, preset
from services.feedback.generations.domain.bootstrap_models import ENGAGE
from services.feedback.generations.domain.preset_outcomes import preset_outcomes
from services.feedback.learner.model.outcome_definition import OutcomeDefinition, ReturnWindow

NAMES: Sequence[str] = PRESETS
_HOURS = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")
_HOUR_US = 3_600_000_000


def event_types_of(name: str) -> Mapping[str, EventType]:
    """Return event types by name.

    Raises:
        ValueError: there is no such preset.

    """
    return preset(name)


def outcomes_of(
    name: str, engage: bool, returns: ReturnWindow | None = None
) -> Sequence[OutcomeDefinition]:
    """Return the outcomes of a preset, or (engage) one outcome that any event is; with `returns`,
    also that the user took the item and came back then.

    Raises:
        ValueError: there is no such preset.

    """
    outcomes = ENGAGE if engage else preset_outcomes(name)
    if returns is None:
        return outcomes
    return (*outcomes, OutcomeDefinition("return", frozenset(), None, 1.0, returns))


def return_window(text: str) -> ReturnWindow:
    """Return the window of hours as "12-36".

    Raises:
        ValueError: it is not written so, or not allowed.

    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not of the form 12-36, in hours")
    after, until = (round(float(hours) * _HOUR_US) for hours in found.groups())
    window = ReturnWindow(after, until)
    for end, fault in window.faults():
        raise ValueError(f"{text!r}: {'its begin' if end == 'after' else 'its end'} {fault}")
    return window
