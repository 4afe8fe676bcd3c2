"""Event types and outcomes of a preset, as the feedback service has them."""

from collections.abc import Mapping, Sequence

from services.feedback.events.domain.event_types import PRESETS, EventType, preset
from services.feedback.generations.domain.bootstrap_models import ENGAGE
from services.feedback.generations.domain.preset_outcomes import preset_outcomes
from services.feedback.learner.model.outcome_definition import OutcomeDefinition

NAMES: Sequence[str] = PRESETS


def event_types_of(name: str) -> Mapping[str, EventType]:
    """Return event types by name.

    Raises:
        ValueError: there is no such preset.

    """
    return preset(name)


def outcomes_of(name: str, engage: bool) -> Sequence[OutcomeDefinition]:
    """Return the outcomes of a preset, or (engage) one outcome that any event is.

    Raises:
        ValueError: there is no such preset.

    """
    return ENGAGE if engage else preset_outcomes(name)
