"""Where the vectors of one generation are in their life."""

from dataclasses import dataclass
from enum import Enum

from services.feedback.learner.model.confidence_sequence import NO_CONFIDENCE, ConfidenceSequence


class Role(Enum):
    """What a generation's vectors are for."""

    STAGED = "staged"
    ACTIVE = "active"
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """Part of the learner's state; changed by replacing it as a whole.

    now: STAGED and to serve as soon as built. placed, to_place: ordinals below `placed` have their
    start vectors, those from there up to `to_place` still get theirs. since_us: log time of the
    role. reference_version: of the frozen reference, 0: none. rolling_back_since: version since
    which vectors return to it, 0: they do not; rolled_back: ordinals below it have. rollbacks: how
    often that happened. validation: STAGED against ACTIVE. guard: reference against live vectors.
    fault: how a model of the generation failed; empty: none did.
    """

    role: Role
    now: bool = False
    placed: int = 0
    to_place: int = 0
    since_us: int = 0
    reference_version: int = 0
    rolling_back_since: int = 0
    rolled_back: int = 0
    rollbacks: int = 0
    validation: ConfidenceSequence = NO_CONFIDENCE
    guard: ConfidenceSequence = NO_CONFIDENCE
    fault: str = ""

    @property
    def built(self) -> bool:
        """Whether all items have their start vectors: only then events are folded in."""
        return self.placed >= self.to_place
