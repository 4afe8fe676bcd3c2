"""Events on disk are those in memory, and a timeline may be of a sample of whole users."""

from pathlib import Path

import numpy as np
import pytest

from services.dataset.history.event_file import read_events
from services.dataset.table.table import Source, open_table
from services.feedback.events.domain.event_types import EventType
from services.trainer.mapped_events import map_events, map_weights
from services.trainer.training_data import TrainingDataError, training_data
from tests.trainer.made import TYPES, events_of, tasteful


@pytest.mark.parametrize("ordered", [True, False])
def test_mapped_events_are_those_that_are_read(tmp_path: Path, ordered: bool) -> None:
    events = tasteful().events
    rows = [
        f"u{user},i{item},view,{time}"
        for user, item, time in zip(
            events.users.tolist(), events.items.tolist(), events.times_us.tolist(), strict=True
        )
    ]
    if not ordered:
        np.random.default_rng(0).shuffle(rows)
    file = tmp_path / "events.csv"
    file.write_text("user,item,type,timestamp\n" + "\n".join(rows) + "\n")
    with open_table(Source((str(file),))) as table:
        wanted, found = read_events(table), map_events(table, tmp_path / "columns")
    assert isinstance(found.users, np.memmap)
    assert list(found.user_ids) == list(wanted.user_ids)
    for name in ("users", "items", "kinds", "times_us"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    weights = map_weights(found, TYPES, tmp_path / "weights")
    here = training_data(wanted, {}, TYPES, 0.2)
    there = training_data(found, {}, TYPES, 0.2, weights)
    assert there.validation_start == here.validation_start
    np.testing.assert_array_equal(there.weights, here.weights)
    np.testing.assert_array_equal(there.timeline().items, here.timeline().items)


def test_a_sample_holds_whole_users() -> None:
    data = tasteful()
    whole, part = data.timeline(), data.timeline(at_most=400)
    users = np.unique(part.users)
    assert 0 < len(users) < len(np.unique(whole.users))
    np.testing.assert_array_equal(part.items, whole.items[np.isin(whole.users, users)])
    assert len(part) < 2 * 400


def test_the_users_of_some_events_are_whole() -> None:
    data = tasteful()
    whole, part = data.timeline(), data.timeline_of([7, 900, 901])
    users = np.unique(data.events.users[[7, 900, 901]])
    of_them = np.isin(whole.users, users)
    np.testing.assert_array_equal(part.items, whole.items[of_them])
    np.testing.assert_array_equal(part.global_order, whole.global_order[of_them])


def test_the_window_begins_with_a_second() -> None:
    events = events_of([0, 0, 0, 0], [0, 1, 2, 3], [1, 5, 5, 9])
    assert training_data(events, {}, TYPES, 0.5).validation_start == 3
    for share, seconds in ((0.5, [5, 5]), (0.9, [5, 6]), (0.0, [5, 6])):
        found = training_data(events_of([0, 0], [0, 1], seconds), {}, TYPES, share)
        assert found.validation_start == 2, "nothing can be held back"


def test_nothing_to_learn_from_is_said() -> None:
    nothing = EventType(weight=0.0)
    with pytest.raises(TrainingDataError, match="no event has a positive learning weight"):
        training_data(events_of([0], [0], [5]), {}, {"view": nothing}, 0.5)
    with pytest.raises(TrainingDataError, match="no events"):
        training_data(events_of([0], [0], [5]).head(0), {}, TYPES, 0.5)
