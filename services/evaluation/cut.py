"""Cuts a history into training and test, as a protocol says."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.dataset.history.events import Events
from services.evaluation.protocol import Protocol, Rules, UnseenItems
from services.system.history import start_row
from services.system.timeline import Timeline, arranged_timeline, make_timeline

Weights = npt.NDArray[np.float32]


def cut_history(
    events: Events, weights: Weights, rules: Rules, first_items: Sequence[str] = ()
) -> Timeline:
    """Return the timeline of a protocol; `first_items` are known from the beginning.

    Raises:
        ValueError: `rules.start` is negative or no number.

    """
    match rules.protocol:
        case Protocol.GLOBAL:
            return make_timeline(events, weights, rules.start, rules.limit, first_items)
        case Protocol.SESSION:
            return _sessions(events, weights, rules, first_items)
        case Protocol.LEAVE_ONE_OUT:
            return _leave_one_out(events, weights, rules, first_items)


def _leave_one_out(
    events: Events, weights: Weights, rules: Rules, first_items: Sequence[str]
) -> Timeline:
    """Test the last positive event of each user who has two or more.

    With a limit only the first so many users are tested, and last events of the others are in
    neither part: training is the same whatever the limit.
    """
    users = events.users
    positive = np.flatnonzero(weights > 0)
    last = np.full(len(events.user_ids), -1, np.int64)
    np.maximum.at(last, users[positive], positive)
    counts = np.bincount(users[positive], minlength=last.size)
    tested = last[counts >= 2]
    training = np.ones(len(events), np.bool_)
    training[tested] = False
    return arranged_timeline(
        events, weights, np.flatnonzero(training), tested[: rules.limit], first_items
    )


def _sessions(
    events: Events, weights: Weights, rules: Rules, first_items: Sequence[str]
) -> Timeline:
    """Test the sessions with an event in or after the second of event `start`."""
    count = len(events)
    seconds = events.times_us // 1_000_000
    row = start_row(rules.start, count)
    after = seconds >= seconds[row] if row < count else np.zeros(count, np.bool_)
    late = np.zeros(len(events.user_ids), np.bool_)
    late[events.users[after]] = True
    in_test = late[events.users]
    training = np.flatnonzero(~in_test)
    if rules.unseen_items is UnseenItems.DROP:
        trained = np.zeros(len(events.item_ids), np.bool_)
        trained[events.items[training]] = True
        in_test &= trained[events.items]
    lengths = np.bincount(events.users[in_test & (weights > 0)], minlength=late.size)
    test = np.flatnonzero(in_test & (lengths >= 2)[events.users])
    return arranged_timeline(events, weights, training, test[: rules.limit], first_items)
