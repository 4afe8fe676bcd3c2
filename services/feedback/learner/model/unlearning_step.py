"""An erased user's events are taken back all at once, as if they had never been.

Rules, counts and popularity: from the events as the log has them, in its order, is made again what
they taught (the items remembered before each, the daily cap, what pairs gained) and taken back; so
also what the learner's own table had forgotten by then. Counts are whole and exact; rules and
levels are up to rounding, as sums are in another order. What stays: pairs that lost their slot
stay lost; what fades with events goes with an item's last event, as with retractions; item vectors
keep the bounded steps that the events made, and so do the head of the scorer and the order's
weights, all until the next generation.
"""

import numpy as np

from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.daily_cap import DailyCap
from services.feedback.learner.model.entries import Event, UserUnlearned
from services.feedback.learner.model.retraction_step import taken_back, without_count
from services.feedback.learner.model.sequential_rules import pair_gains
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_step import erased_name
from services.feedback.learner.model.user_table import NO_ITEM, UserTable


def unlearning_step(state: TenantState, unlearned: UserUnlearned) -> Changes:
    """Take back what a user taught; return what changed."""
    events = [entry.kind for entry in unlearned.events if isinstance(entry.kind, Event)]
    items = state.items.ordinals(event.item_id for event in events)
    items[state.owners.own([event.user_key for event in events], items)] = NO_ITEM
    name = erased_name(unlearned.erasure_id)
    sequences = np.array([entry.sequence for entry in unlearned.events], np.int64)
    items[state.consents.denied([name] * items.size, sequences.tolist())] = NO_ITEM
    state.consents.forget(name)
    weights = np.array([event.weight for event in events], np.float32)
    times_us = np.array([event.time_us for event in events], np.int64)
    own = np.zeros(items.size, np.int64)
    table = UserTable(state.users.length)
    table.row(b"own")
    before = table.record(own, items, weights, times_us, sequences)
    teach = (items != NO_ITEM) & (weights != 0)
    admitted = DailyCap(state.config.daily_events).admit(own, times_us, sequences, teach)
    # What was held never taught, nor as what came before something else; known by the user's row.
    row_of = state.users.find(name)
    if row_of is not None:
        admitted &= np.array(
            [not state.held.holds(row_of, sequence) for sequence in sequences.tolist()], np.bool_
        )
        before = state.held.without(np.full(items.size, row_of), sequences, before)
    taught = np.flatnonzero(admitted | ((items != NO_ITEM) & (weights == 0)))
    rules = state.rules
    rows, cols, gains = pair_gains(
        items[taught], before.items[taught], weights[taught], rules.n_items, rules.config
    )
    cells = rules.take_back(rows, cols, gains)
    popular: set[int] = set()
    for place in np.flatnonzero(admitted & (weights > 0)).tolist():
        time_us, weight = int(times_us[place]), float(weights[place])
        popular |= without_count(state, int(items[place]), time_us, weight)
    return taken_back(state, [cells], np.array(sorted(popular), np.int64))
