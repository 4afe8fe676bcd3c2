"""What an answer lacks."""

from enum import Enum, auto


class Degradation(Enum):
    """As in harken.ranker.v1.Degradation, which has the same names."""

    PROFILE_UNAVAILABLE = auto()
    PROFILE_BEHIND = auto()
    FEED_DISCONNECTED = auto()
    VECTOR_OF_OTHER_GENERATION = auto()
    SCORER_NOT_FINITE = auto()
    GENERATION_UNUSABLE = auto()
    SOURCE_FAILED = auto()
