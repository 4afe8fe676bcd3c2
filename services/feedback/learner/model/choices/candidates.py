"""What a user would have been shown at an event: candidates and features, as rankers make them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float32s, Float64s, Ordinals
from services.common.compiled_core import CompiledCore
from services.common.ranking.candidates import POOL, gather
from services.common.ranking.content_table import ContentTable
from services.common.ranking.features import features_of
from services.common.ranking.plain_scan import ExactScans
from services.common.ranking.popularity import Popularity
from services.common.ranking.rule_table import RuleTable
from services.common.ranking.signals import Signals
from services.common.ranking.sources.popularity import PopularitySource
from services.common.ranking.sources.rules import RuleSource
from services.common.ranking.sources.vector import VectorSource

_ROOM = 4 * POOL


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors float32 [rows, d] and biases float32 [rows] of items, and which there are.

    scans: what looks at them.
    """

    table: Float32s
    biases: Float32s
    there: Bools
    scans: ExactScans

    def search(self, user: Float32s, eligible: Bools, count: int) -> tuple[Ordinals, Float64s]:
        """See VectorIndex; of equal scores the lower ordinals."""
        return self.scans.exact_top(user, self.table, self.biases, eligible, count)

    def dots(self, user: Float32s, ordinals: Ordinals) -> Float64s:
        """See VectorIndex."""
        return self.scans.dots(user, self.table, self.biases, ordinals)

    def held(self) -> Bools:
        """See VectorIndex."""
        return self.there


@dataclass(slots=True)
class CandidateMaker:
    """Makes candidates of one event after the other; with the core, in memory that stays warm."""

    core: CompiledCore | None = None
    _draft: object = None
    _ordinals: Ordinals = field(default_factory=lambda: np.empty(_ROOM, np.int64))

    def make(
        self,
        rules: RuleTable,
        popularity: Popularity,
        vectors: Vectors,
        contents: Callable[[Ordinals], ContentTable],
        user: Float32s | None,
        recent: np.ndarray,
        eligible: Bools,
        now: float,
        columns: int,
    ) -> tuple[Ordinals, Float32s]:
        """Return ordinals [n], ascending, and features [n, columns] of a user's candidates.

        contents: returns a table with the content of the items that it is asked for. user: vector,
        None without one. recent: of RECENT. eligible: mask [rows]. now: unix seconds.
        """
        if self.core is None:
            return self._by_numpy(
                rules, popularity, vectors, contents, user, recent, eligible, now, columns
            )
        if self._draft is None:
            self._draft = self.core.SlateDraft()
        draft = self._draft
        popularity.refresh_order()
        nearest = NO_ORDINALS if user is None else vectors.search(user, eligible, POOL)[0]
        count = draft.gather(  # type: ignore[attr-defined]
            recent, rules.targets, rules.weights, popularity.table, popularity.order,
            popularity.touched, popularity.is_touched, eligible, nearest, None, POOL, 1, now,
            now / popularity.half_life_seconds, self._ordinals,
        )  # fmt: skip
        ordinals = self._ordinals[:count].copy()
        features = np.empty((count, columns), np.float32)
        dots = None if user is None else vectors.dots(user, ordinals)
        held = None if user is None else vectors.there
        content = contents(_compared(recent, ordinals))
        draft.features(  # type: ignore[attr-defined]
            dots, held, popularity.table, content.buckets, content.weights, features
        )
        return ordinals, features

    def _by_numpy(
        self,
        rules: RuleTable,
        popularity: Popularity,
        vectors: Vectors,
        contents: Callable[[Ordinals], ContentTable],
        user: Float32s | None,
        recent: np.ndarray,
        eligible: Bools,
        now: float,
        columns: int,
    ) -> tuple[Ordinals, Float32s]:
        positive = recent[recent["weight"] > 0][::-1]
        items, times = positive["item"], positive["time"]
        followed = RuleSource(rules, popularity, items, times)
        sources = (VectorSource(vectors, user), followed, PopularitySource(popularity, now))
        candidates = gather(sources, eligible, POOL, 1)
        content = contents(_compared(recent, candidates.ordinals))
        signals = Signals(popularity, followed, content, times, now)
        counts = popularity.counts(candidates.ordinals)
        return candidates.ordinals, features_of(candidates, signals, counts, columns)


def _compared(recent: np.ndarray, ordinals: Ordinals) -> Ordinals:
    """Return the items whose content is looked at."""
    return np.concatenate([recent["item"][recent["weight"] > 0], ordinals])
