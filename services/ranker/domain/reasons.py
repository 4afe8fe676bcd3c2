"""Why an item is in a slate."""

from dataclasses import dataclass
from enum import Enum, auto

from services.ranker.domain.arrays import Int32s, Ordinals
from services.ranker.domain.catalogue import Catalogue
from services.ranker.domain.sources.rules import RuleSource


class ReasonCode(Enum):
    """Kinds of reasons."""

    FOLLOWS = auto()
    TASTE = auto()
    POPULAR = auto()


@dataclass(frozen=True, slots=True)
class Reason:
    """Kind, and for FOLLOWS the recent item that it follows from."""

    code: ReasonCode
    because_item_id: str = ""


_TASTE = Reason(ReasonCode.TASTE)
_POPULAR = Reason(ReasonCode.POPULAR)
_NOT_PROPOSED = 1 << 30


def reasons_of(
    catalogue: Catalogue, rules: RuleSource, ordinals: Ordinals, ranks: Int32s
) -> list[Reason]:
    """Return the reason of each item: that of the source that ranks it best.

    `ranks` [3, n] are those of vector, rules and popularity. Of equal ranks the more personal
    source speaks. Items that no source proposed are there to fill up: POPULAR.
    """
    because = rules.because(ordinals).tolist()
    reasons = []
    for recent, item_ranks in zip(because, ranks.T.tolist(), strict=True):
        vector, follows, popular = (rank or _NOT_PROPOSED for rank in item_ranks)
        if follows <= min(vector, popular) and recent >= 0:
            reasons.append(Reason(ReasonCode.FOLLOWS, catalogue.item_id(recent)))
        elif vector <= popular and vector < _NOT_PROPOSED:
            reasons.append(_TASTE)
        else:
            reasons.append(_POPULAR)
    return reasons
