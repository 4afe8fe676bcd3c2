"""Figures that others published, for histories that are the same as theirs.

Never measured here: hardware, options and seeds are theirs. They are shown only where a history has
their number of events, users and items, and the protocol is theirs: leave-one-out, all items
ranked but those the user has seen. Papers that rank among sampled items (SASRec's own, BERT4Rec's)
are not comparable, and not here.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.evaluation.protocol import Protocol, Repeats, Rules
from services.system.timeline import Timeline

CUTOFF = 10


class Sizes(NamedTuple):
    """Of a history: events, users and items that have an event."""

    events: int
    users: int
    items: int


@dataclass(frozen=True, slots=True)
class Published:
    """HR@10 and NDCG@10 of one method on one history, and where they were published."""

    data: str
    sizes: Sizes
    method: str
    hit_rate: float
    ndcg: float
    source: str


_ML_1M = Sizes(1_000_209, 6_040, 3_706)
_ML_1M_CORE = Sizes(999_611, 6_040, 3_416)
"""What SASRec's authors left of it: items and users with five events or more."""
_ML_20M = Sizes(20_000_263, 138_493, 26_744)
_HSTU = "generative-recommenders 2e81fab, README (ICML 2024, arXiv 2402.17152)"
_DROSS = "RecSys 2023, arXiv 2309.07602"
_GSASREC = "RecSys 2023, arXiv 2308.07192"
# Its SASRec is trained with a sampled softmax over 128 negatives.
PUBLISHED = (
    Published("MovieLens-1M", _ML_1M, "SASRec", 0.2853, 0.1603, _HSTU),
    Published("MovieLens-1M", _ML_1M, "HSTU", 0.3097, 0.1720, _HSTU),
    Published("MovieLens-1M", _ML_1M, "HSTU-large", 0.3294, 0.1893, _HSTU),
    Published("MovieLens-1M, 5-core", _ML_1M_CORE, "gSASRec", 0.3003, 0.1726, _GSASREC),
    Published("MovieLens-1M, 5-core", _ML_1M_CORE, "SASRec, full softmax", 0.3152, 0.1821, _DROSS),
    Published("MovieLens-20M", _ML_20M, "SASRec", 0.2889, 0.1621, _HSTU),
    Published("MovieLens-20M", _ML_20M, "HSTU", 0.3273, 0.1895, _HSTU),
    Published("MovieLens-20M", _ML_20M, "HSTU-large", 0.3556, 0.2098, _HSTU),
)


def sizes_of(timeline: Timeline) -> Sizes:
    """Return how large the history is that is compared on."""
    events = timeline.events
    return Sizes(len(events), np.unique(events.users).size, np.unique(events.items).size)


def published_for(sizes: Sizes, rules: Rules) -> tuple[Published, ...]:
    """Return what was published on a history of these sizes under these rules."""
    same = (
        rules.protocol is Protocol.LEAVE_ONE_OUT
        and rules.repeats is Repeats.EXCLUDE
        and rules.limit is None
        and rules.every == 1
    )
    return tuple(one for one in PUBLISHED if same and one.sizes == sizes)
