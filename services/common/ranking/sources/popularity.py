"""Items that many people did something with lately."""

from services.common.arrays import Bools, Float64s, Ordinals
from services.common.ranking.popularity import Popularity


class PopularitySource:
    """Proposes what is popular at `now`; items that never were are not proposed."""

    name = "popularity"

    def __init__(self, popularity: Popularity, now: float) -> None:
        self._popularity = popularity
        self._now = now

    def propose(self, eligible: Bools, count: int) -> Ordinals:
        """Return the `count` most popular eligible items."""
        return self._popularity.top(eligible, count)

    def scores_of(self, ordinals: Ordinals) -> Float64s:
        """Return log2 of the decayed sum of event weights of given items."""
        return self._popularity.levels(ordinals, self._now)
