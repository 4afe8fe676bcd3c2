"""Learning from the choices among the events of a step, before anything else is learned from them.

What a user had before is chosen from everything, and teaches what having had it is worth. What is
new to the user is chosen from what is new, and teaches all else. So slates with what users have
seen and slates without it are both in a good order (the ways that were tried: DECISIONS.md).

Looking at a choice costs about what a slate does, and what it taught goes into the frame. So few
are looked at: one in a small step, of a large one as many as fit into a fifth of its time, and less
the more there were, as they teach less, too. Which, follows from log sequences alone. Of one user
only the first ones of a day are: nobody alone says what the order is for all.
"""

import math

import numpy as np

from services.common.candidate_features import COLUMNS
from services.common.ranking import plain_scan
from services.common.ranking.recent import RECENT, RECENT_LENGTH
from services.common.ranking.rule_table import RuleTable
from services.common.ranking.scorer import Scorer, scores_or_nan
from services.common.runs import run_lengths, run_starts
from services.common.splitmix import mix
from services.feed.parameters import Flags, Floats, Ints
from services.feedback.learner.model.choices.candidates import Vectors
from services.feedback.learner.model.choices.learning import Choice
from services.feedback.learner.model.slate_learning import SlateChanges
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_step import EventRows
from services.feedback.learner.model.user_table import NO_ITEM, PastEvent

_COST_US = 300.0
_COST_OF_ITEM_US = 0.05
_BUDGET_US = 1250.0
_BUDGET_OF_EVENT_US = 2.4
_OF_OWN: Flags = np.array([name.startswith("own_") for name in COLUMNS])
_ALL_CHOICES = 2000
_DAILY_OF_USER = 100
_SEED = np.uint64(0x6368_6F69_6365)


def choice_step(state: TenantState, columns: EventRows, users: Floats) -> SlateChanges | None:
    """Learn from some of the events of a step; return what changed of the head, if anything.

    The state is as before the step, but for the users' own events, which are in theirs already.
    users float32 [n, d]: vectors just before each event, zeros without one.
    """
    if state.scorer is None:
        return None
    teaches = ((columns.items != NO_ITEM) & (columns.weights > 0)).nonzero()[0]
    _, so_far = state.influence.contents(columns.users[teaches])
    teaches = teaches[so_far - _still_to_come(columns.users[teaches]) <= _DAILY_OF_USER]
    # Nobody did anything with some: they may have come just now, and were not there to be shown.
    teaches = teaches[state.counts[columns.items[teaches]] > 0]
    looked_at = teaches[
        chosen_events(columns.sequences[teaches], len(state.items), state.slates.choices.choices)
    ]
    found = (_choice_of(state, state.scorer, columns, users, index) for index in looked_at.tolist())
    return state.slates.choose([choice for choice in found if choice is not None])


def chosen_events(sequences: Ints, items: int, choices: int) -> Ints:
    """Return which of the events [n] are looked at, ascending, after so many `choices`."""
    if not sequences.size:
        return np.zeros(0, np.int64)
    drawn = mix(sequences.astype(np.uint64) ^ _SEED)
    cost = _COST_US + _COST_OF_ITEM_US * items
    expected = _BUDGET_OF_EVENT_US * sequences.size / cost + min(1.0, _BUDGET_US / cost)
    expected *= math.sqrt(min(1.0, _ALL_CHOICES / max(choices, 1)))
    count = math.floor(expected + float(drawn[-1] >> np.uint64(11)) * 2.0**-53)
    return np.sort(np.argsort(drawn, kind="stable")[:count])


def _still_to_come(users: Ints) -> Ints:
    """Return how many of the events [n] that come after each are of the same user, of users [n]."""
    order = users.argsort(kind="stable")
    starts = run_starts(users[order])
    lengths = run_lengths(starts, users.size)
    left = np.empty(users.size, np.int64)
    left[order] = (starts + lengths).repeat(lengths) - 1 - np.arange(users.size)
    return left


def _choice_of(
    state: TenantState, scorer: Scorer, columns: EventRows, users: Floats, index: int
) -> Choice | None:
    """Return the choice that an event is; None where no source would have shown what was taken."""
    item, time_us = int(columns.items[index]), int(columns.times_us[index])
    moment = time_us, int(columns.sequences[index])
    past = [one for one in state.users.past(int(columns.users[index])) if one.moment < moment]
    had = {one.item for one in past}
    eligible: Flags = state.items.exists.copy()
    if item not in had:
        eligible[list(had)] = False
    space, user = state.space, users[index]
    ordinals, features = state.candidates.make(
        RuleTable(state.rules.cols, state.rules.vals),
        state.popular,
        Vectors(space.vectors, space.biases, state.items.exists, state.config.core or plain_scan),
        state.contents.of,
        user if user.any() else None,
        _recent(past),
        eligible,
        time_us / 1e6,
        len(scorer.features),
    )
    place = int(ordinals.searchsorted(item))
    if ordinals.size < 2 or place == ordinals.size or ordinals[place] != item:
        return None
    moves: Flags = np.equal(_OF_OWN[: len(scorer.features)], item in had)
    return Choice(features, scores_or_nan(scorer, features), place, moves)


def _recent(past: list[PastEvent]) -> np.ndarray:
    recent = np.empty(min(len(past), RECENT_LENGTH), RECENT)
    for row, one in enumerate(past[-RECENT_LENGTH:]):
        recent[row] = one.item, one.weight, one.time_us / 1e6
    return recent
