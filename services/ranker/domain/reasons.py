"""Why an item is in a slate."""

from enum import Enum, auto
from typing import NamedTuple

from services.common.arrays import Ordinals
from services.common.ranking.sources.rules import RuleSource
from services.ranker.domain.catalogue import Catalogue


class ReasonCode(Enum):
    """Kinds of reasons."""

    FOLLOWS = auto()
    TASTE = auto()
    POPULAR = auto()


class Reason(NamedTuple):
    """Kind, and for FOLLOWS the recent item that it follows from."""

    code: ReasonCode
    because_item_id: str = ""


_TASTE = Reason(ReasonCode.TASTE)
_POPULAR = Reason(ReasonCode.POPULAR)
_NOT_PROPOSED = 1 << 30


def reasons_of(
    catalogue: Catalogue, rules: RuleSource, ordinals: Ordinals, ranks: Ordinals
) -> list[Reason]:
    """Return the reason of each item: that of the source that ranks it best.

    `ranks` [3, n] are those of vector, rules and popularity. Of equal ranks the more personal
    source speaks. Items that no source proposed are there to fill up: POPULAR. FOLLOWS names an
    item of the catalogue; where there is none left to name, the history as a whole speaks: TASTE.
    """
    because = rules.because(ordinals, catalogue.listed()).tolist()
    reasons = []
    for recent, item_ranks in zip(because, ranks.T.tolist(), strict=True):
        vector, follows, popular = (rank or _NOT_PROPOSED for rank in item_ranks)
        if follows <= min(vector, popular) and recent >= 0:
            reasons.append(Reason(ReasonCode.FOLLOWS, catalogue.item_id(recent)))
        elif min(vector, follows) <= popular and min(vector, follows) < _NOT_PROPOSED:
            reasons.append(_TASTE)
        else:
            reasons.append(_POPULAR)
    return reasons
