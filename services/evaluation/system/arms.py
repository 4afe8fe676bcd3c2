"""The system's own arms.

full           everything learns; a slate reflects all that happened before it.
prior_blend    as full, but candidates are in the order of the generation's scorer alone: nothing
               that choices and outcomes of slates teach about it, from the first event on.
frozen_params  fresh user history, but item vectors, rules and popularity as of the split. Items
               that come later start where the item tower puts them.
frozen_state   slates as of the split, without what the user has seen since.
daily, hourly  slates as of the last change of day or hour (UTC) of event time, without what the
               user has seen since; from the split to the first change, as of the split.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.evaluation.arm import MISS, Moment, Ranking
from services.evaluation.system.step_buffer import StepBuffer
from services.ranker.domain.slate import Slate
from services.system.learner import SystemStep
from services.system.replica import SystemReplica
from services.system.timeline import Codes

FROZEN_COUNT = 1_000
"""Length of the slates at the split, as in `harken replay`."""


@dataclass(frozen=True, slots=True)
class Served:
    """A slate as a user saw it at a time."""

    user: int
    time_us: int
    slate: Slate


class SlateArm:
    """An arm that ranks by slates of one replica, as of whatever is folded into it."""

    def __init__(
        self,
        name: str,
        replica: SystemReplica,
        keys: Sequence[bytes],
        item_ids: Sequence[str],
        count: int,
        allow_seen: bool,
    ) -> None:
        self.name = name
        self.fit_seconds = 0.0
        self.replica = replica
        self.keys = keys
        self.item_ids = item_ids
        self.code_of: Mapping[str, int] = {item: code for code, item in enumerate(item_ids)}
        self.count = count
        self.allow_seen = allow_seen
        self._shown: Served | None = None

    def rank(self, moment: Moment) -> Ranking:
        """See Arm."""
        slate = self._make(moment, ())
        self._shown = Served(moment.user, moment.time_us, slate)
        ranking = ranking_of(self._codes(slate), moment)
        best = ranking.best[: slate.shown.items]
        return replace(ranking, best=best, probabilities=slate.shown.probabilities[:, 0])

    def taken_slate(self) -> "Served | None":
        """Return the slate shown last, once."""
        shown, self._shown = self._shown, None
        return shown

    def _slate(self, moment: Moment, excluded: Sequence[str]) -> Codes:
        return self._codes(self._make(moment, excluded))

    def _make(self, moment: Moment, excluded: Sequence[str]) -> Slate:
        return self.replica.make_slate(
            self.keys[moment.user],
            self.count,
            moment.time_us / 1e6,
            self.allow_seen,
            excluded,
        )

    def _codes(self, slate: Slate) -> Codes:
        return np.array([self.code_of[slot.item_id] for slot in slate.slots], np.int32)


class RefreshedArm(SlateArm):
    """Ranks by a replica that is caught up when event time enters another period."""

    def __init__(
        self,
        name: str,
        replica: SystemReplica,
        keys: Sequence[bytes],
        item_ids: Sequence[str],
        count: int,
        allow_seen: bool,
        period_seconds: int,
        now_us: int,
    ) -> None:
        super().__init__(name, replica, keys, item_ids, count, allow_seen)
        self._period_us = period_seconds * 1_000_000
        self._period = now_us // self._period_us
        self._waiting = StepBuffer()

    def offer(self, steps: Sequence[SystemStep], time_us: int) -> None:
        """Take what was learned at a time; it shows from the next period on."""
        self._advance(time_us)
        for step in steps:
            self._waiting.add(step)

    def close(self) -> None:
        """Give up what waits."""
        self._waiting.close()

    def rank(self, moment: Moment) -> Ranking:
        """See Arm."""
        self._advance(moment.time_us)
        excluded = [self.item_ids[item] for item in moment.seen.tolist()]
        return ranking_of(self._slate(moment, excluded), moment)

    def _advance(self, time_us: int) -> None:
        period = time_us // self._period_us
        if period != self._period:
            self._period = period
            for step in self._waiting.drain():
                self.replica.fold(step)


class FrozenStateArm(SlateArm):
    """Ranks by one long slate per user, as of the split."""

    def __init__(
        self,
        name: str,
        replica: SystemReplica,
        keys: Sequence[bytes],
        item_ids: Sequence[str],
        count: int,
        allow_seen: bool,
        known_users: np.ndarray,
        split_us: int,
    ) -> None:
        """Nothing must be folded into `replica` any more. `known_users` had events before."""
        super().__init__(name, replica, keys, item_ids, max(count, FROZEN_COUNT), allow_seen)
        self._cut = count
        self._known_users = known_users
        self._split_us = split_us
        self._slates: dict[int, Codes] = {}

    def rank(self, moment: Moment) -> Ranking:
        """See Arm."""
        # Whoever was not there at the split shares the slate of somebody unknown.
        user = moment.user if self._known_users[moment.user] else -1
        slate = self._slates.get(user)
        if slate is None:
            at_split = replace(moment, time_us=self._split_us)
            slate = self._slates[user] = self._slate(at_split, ())
        left = slate if self.allow_seen else slate[~np.isin(slate, moment.seen)]
        return ranking_of(left[: self._cut], moment)


def ranking_of(slate: Codes, moment: Moment) -> Ranking:
    """Return what a slate says about the targets: its order is the ranking."""
    ranks = np.full(moment.targets.size, MISS, np.float32)
    for place, target in enumerate(moment.targets.tolist()):
        if not moment.hidden[target]:
            found = np.flatnonzero(slate == target)
            if found.size:
                ranks[place] = found[0] + 1
    return Ranking(ranks, slate)
