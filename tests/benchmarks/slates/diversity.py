"""What diversity costs on histories: the likeness within slates, and NDCG@10, by its strength.

Groups of events of the test part are ranked by slates of all strengths, from one replica that
learned all before, as `full` of `harken evaluate` does: of the same candidates, scored alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from services.common.surfaces.defaults import DIVERSITY_STRENGTH
from services.evaluation.arm import Moment, Ranking
from services.evaluation.metrics import gains
from services.evaluation.protocol import Repeats, Rules
from services.evaluation.system.arms import SlateArm, ranking_of
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.selection.plan import Diversity, Method
from services.ranker.domain.surface.configured import Surface
from services.ranker.domain.surface.shaping import Wish, shaped_slate
from services.ranker.domain.surface.sources.kept import Finds
from tests.benchmarks.learning.sets import FILMS, Set, sets_of
from tests.benchmarks.slates.history import drafts, walked

STRENGTHS = (0.0, DIVERSITY_STRENGTH, 0.1, 0.2, 0.3, 0.5, 0.7)
_COUNT, _NDCG = 10, 1


class Strength(NamedTuple):
    """A strength: the mean cosine of pairs of items within slates, and NDCG@10."""

    strength: float
    likeness: float
    ndcg: float


@dataclass(frozen=True, slots=True)
class Diverse:
    """What became of a history by one method, by rising strength; events: that were scored."""

    name: str
    method: Method
    events: int
    found: tuple[Strength, ...]

    @property
    def falls(self) -> bool:
        """Whether likeness falls with each strength."""
        likeness = [one.likeness for one in self.found]
        return all(after < before for before, after in pairwise(likeness))


class _DiverseArm:
    """Ranks by slates of a surface with diversity, from the replica of `full`."""

    def __init__(self, full: SlateArm, strength: float, method: Method, allow_seen: bool) -> None:
        self.name = f"{method.value} {strength:g}"
        self.fit_seconds = 0.0
        self.strength = strength
        self._full = full
        self._allow_seen = allow_seen
        self._surface = Surface(diversity=Diversity(strength, method) if strength else None)
        self._drafts = drafts()
        self._finds = Finds()
        self._likeness = np.zeros(2)

    @property
    def likeness(self) -> float:
        """The mean cosine of pairs of items of a slate, over slates."""
        return float(self._likeness[0] / max(self._likeness[1], 1.0))

    def rank(self, moment: Moment) -> Ranking:
        """See Arm."""
        system = self._full.replica
        replica, generation = system.tenant, system.generation
        wish = Wish(
            _COUNT, ItemFilter(allow_seen=self._allow_seen), moment.time_us / 1e6, moment.user
        )
        user = system.user(self._full.keys[moment.user])
        shaped = shaped_slate(
            self._drafts, replica, generation, user, self._surface, wish, self._finds, lambda: 0.0
        )
        items = shaped.draft.ordinals[shaped.places]
        vectors = replica.spaces[generation.generation_id].index.vectors(items)
        self._note(vectors.astype(np.float64))
        ids = map(replica.catalogue.item_id, items.tolist())
        codes = np.array([self._full.code_of[one] for one in ids], np.int32)
        return ranking_of(codes, moment)

    def _note(self, vectors: np.ndarray) -> None:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = vectors / np.where(lengths > 0, lengths, 1.0)
        pairs = len(units) * (len(units) - 1)
        if pairs:
            total = float((units.sum(axis=0) ** 2).sum() - (units**2).sum())
            self._likeness += (total / pairs, 1.0)


def diversity(
    data: Path, every: int, names: Sequence[str] = FILMS, method: Method = Method.DPP
) -> Iterator[Diverse]:
    """Yield what came out of each history that `data` has; one of `every` groups is ranked."""
    for one in sets_of(names, data):
        with threadpool_limits(limits=1):
            yield _diverse(one, Rules(every=every, repeats=one.repeats), method)


def _diverse(one: Set, rules: Rules, method: Method) -> Diverse:
    allow_seen = rules.repeats is Repeats.INCLUDE

    def arms_of(full: SlateArm) -> list[_DiverseArm]:
        return [_DiverseArm(full, strength, method, allow_seen) for strength in STRENGTHS]

    arms, outcomes = walked(one, rules, arms_of)
    found = [
        Strength(arm.strength, arm.likeness, float(gains(ranks.ranks, _COUNT)[:, _NDCG].mean()))
        for arm, ranks in zip(arms, outcomes.arms, strict=True)
    ]
    return Diverse(one.name, method, int(outcomes.users.size), tuple(found))
