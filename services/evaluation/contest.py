"""The loop of a comparison: rank, then reveal; all arms on the same groups."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from services.evaluation.arm import Arm, Learner, Moment, Ranking
from services.evaluation.outcomes import ArmCost, ArmOutcome, Outcomes
from services.evaluation.past import Past
from services.evaluation.protocol import Protocol, Repeats, Rules
from services.system.calibration import Calibration
from services.system.timeline import Codes, Flags, Ints, Timeline

YOUNG_EVENTS = 20
_NOBODY_SEES = np.zeros(0, np.int32)


class _Tally:
    """What one arm did so far."""

    def __init__(self, arm: Arm, items: int, fitted_events: int, fit_bytes: int | None) -> None:
        self.arm = arm
        self.cost = ArmCost(arm.fit_seconds, fitted_events, fit_bytes)
        self.ranks: list[np.ndarray] = []
        self.shown = np.zeros(items, np.int64)
        self.novelty = 0.0
        self.calibration = Calibration()

    def outcome(self) -> ArmOutcome:
        ranks = np.concatenate(self.ranks) if self.ranks else np.zeros(0, np.float32)
        return ArmOutcome(
            self.arm.name,
            ranks,
            self.shown,
            self.novelty / max(int(self.shown.sum()), 1),
            self.cost,
            self.calibration.error(),
        )


class ProgressiveValidation:
    """One comparison over one timeline."""

    def __init__(
        self,
        timeline: Timeline,
        rules: Rules,
        arms: Sequence[Arm],
        learners: Sequence[Learner],
        clock: Callable[[], float] = time.perf_counter,
        fit_bytes: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Compare `arms`, all fitted on the part before the split; `learners` feed them.

        fit_bytes: memory that fitting took, of the arms of which it is known.
        """
        events = timeline.events
        self._timeline = timeline
        self._rules = rules
        self._learners = learners
        self._clock = clock
        self._positive: Flags = timeline.weights > 0
        everything = np.ones(len(events), np.bool_)
        self._seen = Past(events.users, events.items, events.times_us, everything)
        self._past = Past(events.users, events.items, events.times_us, self._positive)
        before = np.arange(timeline.split)
        self._seen.reveal(before)
        self._past.reveal(before)
        items = len(timeline.item_ids)
        self._counts = np.bincount(events.items[: timeline.split], minlength=items)
        self._total = timeline.split
        self._old_items: Flags = self._counts > 0
        self._known: Flags = self._old_items.copy()
        self._known[: timeline.listed] = True
        self._old_users: Flags = np.zeros(len(events.user_ids), np.bool_)
        self._old_users[events.users[: timeline.split]] = True
        self._tallies = [
            _Tally(arm, items, timeline.split, fit_bytes.get(arm.name)) for arm in arms
        ]
        self._scored: list[Ints] = []
        self._young: list[np.ndarray] = []
        self._ranked_groups = 0

    def run(self, progress: Callable[[int], None] = lambda _: None) -> Outcomes:
        """Walk through the test part; `progress` hears how many groups are done."""
        for number in range(self._timeline.groups):
            events = self._timeline.group(number)
            if number % self._rules.every == 0:
                self._rank(events)
            # Whoever is tested once, among others whose events are of other times, teaches nobody.
            if self._rules.protocol is not Protocol.LEAVE_ONE_OUT:
                self._reveal(events)
            progress(number + 1)
        return self._outcomes()

    def _rank(self, events: Ints) -> None:
        user = int(self._timeline.events.users[events[0]])
        scored = self._to_score(user, events)
        if scored.size == 0:
            return
        self._ranked_groups += 1
        moment = self._moment(user, int(self._timeline.events.times_us[events[0]]), scored)
        self._scored.append(scored)
        self._young.append(self._counts[moment.targets] < YOUNG_EVENTS)
        cutoff = self._rules.cutoffs[0]
        # Add-one smoothing keeps an item without events at a finite surprise.
        surprise = np.log2(self._total + self._counts.size)
        for tally in self._tallies:
            began = self._clock()
            ranking = tally.arm.rank(moment)
            tally.cost.rank_seconds += self._clock() - began
            tally.cost.rankings += 1
            tally.ranks.append(ranking.ranks)
            best = ranking.best[:cutoff]
            tally.shown[best] += 1
            tally.novelty += float((surprise - np.log2(self._counts[best] + 1)).sum())
            _calibrate(tally.calibration, ranking, moment.targets)

    def _to_score(self, user: int, events: Ints) -> Ints:
        events = events[self._positive[events]]
        if self._rules.protocol is Protocol.SESSION and self._past.items(user).size == 0:
            return events[:0]
        if self._rules.repeats is Repeats.INCLUDE or events.size == 0:
            return events
        items = self._timeline.events.items[events]
        fresh = ~np.isin(items, self._seen.items(user))
        _, first = np.unique(items, return_index=True)
        first_time = np.zeros(events.size, np.bool_)
        first_time[first] = True
        return events[fresh & first_time]

    def _moment(self, user: int, time_us: int, scored: Ints) -> Moment:
        events = self._timeline.events
        hidden = ~self._known
        seen = _NOBODY_SEES
        if self._rules.repeats is Repeats.EXCLUDE:
            seen = self._seen.items(user)
            hidden[seen] = True
        return Moment(
            user=user,
            time_us=time_us,
            items=self._past.items(user),
            times_us=self._past.times_us(user),
            hidden=hidden,
            seen=seen,
            targets=events.items[scored],
        )

    def _reveal(self, events: Ints) -> None:
        user = int(self._timeline.events.users[events[0]])
        self._seen.reveal_of(user, events)
        self._past.reveal_of(user, events)
        items = self._timeline.events.items[events]
        np.add.at(self._counts, items, 1)
        self._total += events.size
        self._known[items] = True
        for learner in self._learners:
            began = self._clock()
            learner.reveal(events)
            took = self._clock() - began
            for tally in self._tallies:
                if tally.arm.name in learner.names:
                    tally.cost.update_seconds += took
                    tally.cost.updated_events += events.size

    def _outcomes(self) -> Outcomes:
        events = self._timeline.events
        scored = np.concatenate(self._scored) if self._scored else np.zeros(0, np.int64)
        users: Codes = events.users[scored]
        items: Codes = events.items[scored]
        return Outcomes(
            users=users,
            items=items,
            times_us=events.times_us[scored],
            new_user=~self._old_users[users],
            new_item=~self._old_items[items],
            young_item=np.concatenate(self._young) if self._young else np.zeros(0, np.bool_),
            arms=tuple(tally.outcome() for tally in self._tallies),
            catalogue=int(np.count_nonzero(self._known)),
            groups=self._timeline.groups,
            ranked_groups=self._ranked_groups,
            not_scored=len(events) - self._timeline.split - scored.size,
        )


def _calibrate(calibration: Calibration, ranking: Ranking, targets: Codes) -> None:
    if ranking.probabilities is not None:
        calibration.add(ranking.probabilities, np.isin(ranking.best, targets))
