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

from services.common.compiled_core import find_core
from services.evaluation.arm import Arm, Moment, Ranking
from services.evaluation.contest import ProgressiveValidation
from services.evaluation.cut import cut_history
from services.evaluation.evaluate import event_types
from services.evaluation.metrics import gains
from services.evaluation.protocol import Repeats, Rules
from services.evaluation.system.arms import SlateArm, ranking_of
from services.evaluation.system.run import FULL, system_run
from services.feedback.learner.model.tenant_state import LearningConfig
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.selection.plan import Diversity, Method
from services.ranker.domain.surface.configured import Surface
from services.ranker.domain.surface.shaping import Wish, shaped_slate
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.numpy_slates import NumpySlates
from services.ranker.surfaces.surface_reader import DEFAULT_STRENGTH
from services.system.event_weights import event_weights
from services.system.generation import bootstrap_generation, engagement
from tests.benchmarks.learning.sets import FILMS, Set, sets_of

STRENGTHS = (0.0, DEFAULT_STRENGTH, 0.1, 0.2, 0.3, 0.5, 0.7)
_DIMENSION, _COUNT, _NDCG = 128, 10, 1


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
        core = find_core()
        self._drafts = NumpySlates() if core is None else CompiledSlates(core)
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
    types = event_types("shopping")
    timeline = cut_history(one.events, event_weights(one.events, types), rules, list(one.contents))
    generation = bootstrap_generation(_DIMENSION, engagement(timeline.events.types))
    config = LearningConfig(core=find_core())
    allow_seen = rules.repeats is Repeats.INCLUDE
    with system_run(timeline, one.contents, generation, config, [FULL], rules) as system:
        (full,) = (arm for arm in system.arms if isinstance(arm, SlateArm))
        diverse = [_DiverseArm(full, strength, method, allow_seen) for strength in STRENGTHS]
        arms: list[Arm] = [*diverse]
        outcomes = ProgressiveValidation(timeline, rules, arms, system.learners).run()
    found = [
        Strength(arm.strength, arm.likeness, float(gains(ranks.ranks, _COUNT)[:, _NDCG].mean()))
        for arm, ranks in zip(diverse, outcomes.arms, strict=True)
    ]
    return Diverse(one.name, method, int(outcomes.users.size), tuple(found))
