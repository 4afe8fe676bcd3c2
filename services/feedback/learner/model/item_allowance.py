"""How much of what all users share may go to one item in a while.

An item that is wanted is wanted by many who also want other things, and rarely by far more of them
than a moment ago. So events are of two kinds. Those support an item that are the first on it of
subjects who had something to do with other items before, at least as many as is usual in the
tenant. All others ride: of subjects who are new, and what somebody does again with an item.

What rides is let through in proportion to what supports:

    riding_i <= (floor + proportion * riding / supporting * supporting_i) * start
    first_i <= (first_floor + proportion * first / supporting * supporting_i) * start

with the tenant's own ratios, so that a shop of which all visitors are new is no exception; `first`
is the part of it that is of subjects who did nothing else before: newcomers' lists are made of it.
And all of it together, what came in lately, is let through

    recent_i <= max(floor, hotter * heat, faster * usual_i) * start

heat being what the item of the usual event has of the same, and usual_i what the item has by its
longer past; what rides has half of it, so that nobody's support is crowded out. start = 1 +
`settled` / events: a young tenant has no past to go by. Sums are of learning weights, floor is in
those of the usual event, and all fade with the events that were let through, so that a flood does
not drive its own clock. What is over is held: it counts for its user alone, as what is beyond the
daily cap does (daily_cap.py), and moves nothing that is shared.

The proportion in which others agree stands for who is trusted; that robust aggregates bound what
each of few may add is an old idea (for recommenders: Mehta & Nejdl 2008, "Attack resistant
collaborative filtering", SIGIR).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.common.arrays import grown
from services.common.history_context import PLACES, place
from services.common.runs import run_lengths, run_starts
from services.feed.parameters import Doubles, Flags, Floats, Ints
from services.feedback.learner.model.user_table import NO_ITEM, Histories

RECENT, USUAL, RIDING, FIRST, SUPPORTING, STAMP = range(6)
"""Columns of an item: sums as of the clock at its stamp."""
_COLUMNS = 6
EVENTS, HEAT, WEIGHT, ALL_RIDING, ALL_FIRST, ALL_SUPPORTING = range(6)
"""Of the tenant: events let through, and means over the latest of them."""
_FIGURES = 6


@dataclass(frozen=True, slots=True)
class AllowanceConfig:
    """Constants of what an item may gain.

    on: whether anything is held. recent_events, usual_events: events of the tenant after which one
    counts half, in what came in lately and in the longer past. floor, first_floor: usual events
    that pass in any case, in all and first ones. hotter, faster, proportion: see above. settled:
    events. memory: of the tenant's means, in events. most_place: of history (see history_context),
    from which on a subject supports at the latest.
    """

    on: bool = True
    recent_events: float = 1_000.0
    usual_events: float = 20_000.0
    floor: float = 10.0
    first_floor: float = 3.0
    hotter: float = 12.0
    faster: float = 12.0
    proportion: float = 40.0
    settled: float = 1_000.0
    memory: float = 20_000.0
    most_place: int = 4


class ItemAllowance:
    """What items of a tenant have of what all share."""

    def __init__(self, config: AllowanceConfig) -> None:
        """Begin without a past."""
        self.config = config
        self.table: Doubles = np.zeros((0, _COLUMNS), np.float64)
        self.figures: Doubles = np.zeros(_FIGURES, np.float64)
        self.places: Doubles = np.zeros(PLACES, np.float64)

    def admit(self, items: Ints, weights: Floats, before: Histories, wanted: Flags) -> Flags:
        """Return which of the events [n], in order, may move what is shared: of `wanted` ones.

        before: histories just before each. Events of no or negative weight are none of this.
        """
        if not self.config.on:
            return wanted
        asked = (wanted & (weights > 0)).nonzero()[0]
        if not asked.size:
            return wanted
        own, recent = items[asked], before.items[asked]
        count = (recent != NO_ITEM).sum(axis=1)
        again = (recent == own[:, np.newaxis]).any(axis=1)
        places = place(count)
        riding = (places < self._least_place()) | again
        passed = self._passed(own, weights[asked].astype(np.float64), riding, count == again)
        self._tell(places[passed])
        if passed.all():
            return wanted
        admitted = wanted.copy()
        admitted[asked[~passed]] = False
        return admitted

    def known(self) -> Ints:
        """Return the ordinals of items that have anything, ascending."""
        has_any: Flags = np.asarray(self.table.any(axis=1))
        return has_any.nonzero()[0].astype(np.int64)

    def restore(self, rows: Ints, sums: Doubles, figures: Doubles, places: Doubles) -> None:
        """Set the sums of items [n, columns], and what is known of the tenant, empty: nothing."""
        if rows.size:
            self.table = grown(self.table, int(rows.max()) + 1, 0.0)
            self.table[rows] = sums
        if figures.size:
            self.figures, self.places = figures.copy(), places.copy()

    def _least_place(self) -> int:
        """Return the place that half of the tenant's events are at or beyond."""
        beyond = self.places[::-1].cumsum()[::-1]
        usual = int(np.count_nonzero(beyond >= 0.5 * beyond[0])) - 1
        return max(1, min(usual, self.config.most_place))

    def _passed(self, items: Ints, mass: Doubles, riding: Flags, first: Flags) -> Flags:
        """Let events [n] of positive mass through, or not, and count those that pass."""
        self.table = grown(self.table, int(items.max()) + 1, 0.0)
        order = items.argsort(kind="stable")
        begins = run_starts(items[order])
        rows, sizes = items[order[begins]], run_lengths(begins, order.size)
        group = np.arange(rows.size).repeat(sizes)
        own = _Gains(mass[order], riding[order], first[order])
        now = self._now(rows)
        limits = self._limits(now)
        total = own.sums(group, np.ones(order.size, np.bool_))
        fits = (
            (now[:, RECENT] + total.all <= limits.recent / 2)
            & (now[:, RIDING] + total.riding <= limits.riding)
            & (now[:, FIRST] + total.first <= limits.first)
        )
        passed = fits[group]
        for index in (~fits).nonzero()[0].tolist():
            part = slice(int(begins[index]), int(begins[index]) + int(sizes[index]))
            passed[part] = _in_turn(own, part, now[index], limits, index)
        self._count(rows, now, group, own, passed)
        found = np.empty(items.size, np.bool_)
        found[order] = passed
        return found

    def _now(self, rows: Ints) -> Doubles:
        """Return the sums of items [n, columns] as of now."""
        now: Doubles = self.table[rows]
        since = now[:, STAMP] - self.figures[EVENTS]
        now[:, RECENT] *= np.exp2(since / self.config.recent_events)
        now[:, USUAL:STAMP] *= np.exp2(since / self.config.usual_events)[:, np.newaxis]
        now[:, STAMP] = self.figures[EVENTS]
        return now

    def _limits(self, now: Doubles) -> "_Limits":
        """Return what items [n] may have, given their sums [n, columns] as of now."""
        config, supporting = self.config, now[:, SUPPORTING]
        events, heat, weight, all_riding, all_first, all_supporting = self.figures.tolist()
        if not events or not all_supporting:
            none = np.full(len(now), np.inf)
            return _Limits(none, none, none, 0.0, 0.0)
        start = 1.0 + config.settled / events
        usual = config.faster * now[:, USUAL] * (config.recent_events / config.usual_events)
        recent = np.maximum(max(config.floor * weight, config.hotter * heat), usual)
        riding = start * config.proportion * all_riding / all_supporting
        first = start * config.proportion * all_first / all_supporting
        return _Limits(
            start * recent,
            start * config.floor * weight + riding * supporting,
            start * config.first_floor * weight + first * supporting,
            riding,
            first,
        )

    def _count(self, rows: Ints, now: Doubles, group: Ints, own: "_Gains", passed: Flags) -> None:
        events = int(np.count_nonzero(passed))
        gained = own.sums(group, passed)
        heat = float(np.bincount(group, passed) @ (now[:, RECENT] + gained.all / 2))
        now[:, RECENT] += gained.all
        now[:, USUAL] += gained.all
        now[:, RIDING] += gained.riding
        now[:, FIRST] += gained.first
        now[:, SUPPORTING] += gained.all - gained.riding
        self.table[rows] = now
        if not events:
            return
        figures, all_mass, riding = self.figures, gained.all.sum(), gained.riding.sum()
        sums = np.array([heat, all_mass, riding, gained.first.sum(), all_mass - riding])
        known = min(float(figures[EVENTS]), self.config.memory)
        figures[HEAT:] = (figures[HEAT:] * known + sums) / (known + events)
        figures[EVENTS] += events

    def _tell(self, places: Ints) -> None:
        """Take note at which places of histories events were let through."""
        self.places *= 0.5 ** (places.size / self.config.memory)
        self.places += np.bincount(places, minlength=PLACES)


class _Limits(NamedTuple):
    """What items may have [n], and how much more of it may ride, or be first, for each unit that
    supports.
    """

    recent: Doubles
    riding: Doubles
    first: Doubles
    riding_each: float
    first_each: float


class _Sums(NamedTuple):
    """Sums by item [n]: of all mass, of what rides, of what is first."""

    all: Doubles
    riding: Doubles
    first: Doubles


class _Gains(NamedTuple):
    """Events by item: mass, whether it rides, and whether it is its subject's first one [n]."""

    mass: Doubles
    riding: Flags
    first: Flags

    def sums(self, group: Ints, passed: Flags) -> _Sums:
        """Return sums over those that pass, by `group` [n], ascending."""
        mass = self.mass * passed
        every: Doubles = np.bincount(group, mass).astype(np.float64)
        riding: Doubles = np.bincount(group, mass * self.riding).astype(np.float64)
        first: Doubles = np.bincount(group, mass * self.first).astype(np.float64)
        return _Sums(every, riding, first)


def _in_turn(own: _Gains, part: slice, now: Doubles, limits: _Limits, index: int) -> list[bool]:
    """Let events of one item through one after the other; return which pass."""
    recent, rode, began = float(now[RECENT]), float(now[RIDING]), float(now[FIRST])
    most = float(limits.recent[index])
    most_riding, most_first = float(limits.riding[index]), float(limits.first[index])
    passed = []
    for mass, rides, first in zip(
        own.mass[part].tolist(), own.riding[part].tolist(), own.first[part].tolist(), strict=True
    ):
        if rides:
            fits = recent + mass <= most / 2 and rode + mass <= most_riding
            fits = fits and (not first or began + mass <= most_first)
        else:
            fits = recent + mass <= most
        passed.append(fits)
        if not fits:
            continue
        recent += mass
        if rides:
            rode += mass
            began += mass * first
        else:
            most_riding += limits.riding_each * mass
            most_first += limits.first_each * mass
    return passed
