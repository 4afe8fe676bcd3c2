"""Content of an item as a few numbers, so that likeness costs a few sums a candidate.

An item's strongest content features, hashed with signs into BUCKETS (Weinberger et al. 2009, as
`hash_features`), kept sparse: most items have ten features, and the dot product of two such rows
is their cosine. The feature that only the item itself has says nothing of others and is left out.
"""

import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

from services.common.content_features import OWN_PREFIX, hashed

BUCKETS = 4096
"""So few that a user's profile fits into the nearest cache, so many that of his some 200 features
one in twenty meets another one."""
WIDTH = 16
"""Features of an item that are kept, at most: the heaviest, equal ones by name."""
_REMEMBERED = 1 << 14


class ContentCode(NamedTuple):
    """The features that are kept, heaviest first: buckets, below BUCKETS, and weights, of Euclidean
    norm 1. Nothing where nothing is known.
    """

    buckets: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


NO_CONTENT = ContentCode()


def content_code(features: Mapping[str, float]) -> ContentCode:
    """Return the code of an item's content features by name (content_features.py)."""
    heaviest = sorted(features.items(), key=_heaviest_first)
    heaviest = [one for one in heaviest if not one[0].startswith(OWN_PREFIX)][:WIDTH]
    norm = math.hypot(*(weight for _, weight in heaviest))
    if norm == 0:
        return NO_CONTENT
    places = [_place(name) for name, _ in heaviest]
    return ContentCode(
        tuple(bucket for bucket, _ in places),
        tuple(
            sign * weight / norm for (_, sign), (_, weight) in zip(places, heaviest, strict=True)
        ),
    )


# Words and categories come again and again, and a hash is half of what an item costs.
_place = functools.lru_cache(_REMEMBERED)(functools.partial(hashed, buckets=BUCKETS))


def _heaviest_first(feature: tuple[str, float]) -> tuple[float, str]:
    return -abs(feature[1]), feature[0]
