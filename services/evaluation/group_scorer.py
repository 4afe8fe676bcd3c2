"""Scores the events of a tie group in both arms, all before any of them is revealed."""

from collections.abc import Callable, Sequence

from services.evaluation.arms import FrozenSlate, rank_in
from services.evaluation.comparison import Comparison
from services.evaluation.tie_groups import TieGroup


class GroupScorer:
    """Keeps what `frozen_state` needs to know about each user, and who has seen what.

    Repeats are not scored: an event on an item that the user had an event on before, because
    slates leave seen items out in both arms.
    """

    def __init__(
        self,
        comparison: Comparison,
        seen_before: dict[str, set[str]],
        frozen_slate: Callable[[str], Sequence[str]],
    ) -> None:
        """Score into `comparison`.

        `seen_before` says what each user had seen at the split; it is changed. `frozen_slate`
        returns the slate of a user at the split, and is asked once per user.
        """
        self._comparison = comparison
        self._seen = seen_before
        self._frozen_slate = frozen_slate
        self._frozen: dict[str, FrozenSlate] = {}
        self.repeats = 0

    def score(self, group: TieGroup, slate: Sequence[str]) -> None:
        """Score the events of a group in a slate asked before it, then take them as seen."""
        seen = self._seen.setdefault(group.user, set())
        frozen = self._frozen.get(group.user)
        if frozen is None:
            frozen = self._frozen[group.user] = FrozenSlate(self._frozen_slate(group.user))
            frozen.see(seen)
        scored: set[str] = set()
        for event in group.events:
            if event.item in seen or event.item in scored:
                self.repeats += 1
                continue
            scored.add(event.item)
            self._comparison.add(
                event.user, event.item, rank_in(slate, event.item), frozen.rank(event.item)
            )
        seen |= scored
        frozen.see(scored)
