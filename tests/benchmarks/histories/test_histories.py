"""Made histories are the same for a seed, and have the shapes that they say they have."""

import csv

import numpy as np
import pytest

from services.evaluation.protocol import Repeats
from tests.benchmarks.histories.__main__ import main
from tests.benchmarks.histories.history import Act, drawn, events_of, skewed
from tests.benchmarks.histories.known import HISTORIES
from tests.benchmarks.histories.music import music
from tests.benchmarks.histories.news import news
from tests.benchmarks.histories.shop import shop


@pytest.mark.parametrize("name", HISTORIES)
def test_each_is_of_a_size_that_is_soon_evaluated_and_the_same_for_a_seed(name: str) -> None:
    history = HISTORIES[name](3)
    events = history.events
    assert 10_000 <= len(events) <= 40_000
    assert (np.diff(events.times_us) >= 0).all()
    again = HISTORIES[name](3).events
    assert (again.items == events.items).all()
    assert (again.times_us == events.times_us).all()


def test_another_seed_is_another_history() -> None:
    assert len(shop(3, "flash").events) != len(shop(4, "flash").events)


def _again(history: str, seed: int = 1) -> float:
    """Return the share of events on what the user had before."""
    events = HISTORIES[history](seed).events
    pairs = np.unique(np.stack([events.users, events.items]), axis=1)
    return 1.0 - float(pairs.shape[1]) / len(events)


def test_they_differ_in_what_users_had_before() -> None:
    assert _again("news") == 0.0
    assert _again("wide") < _again("shop") < _again("flash")
    assert min(_again("groceries"), _again("music"), _again("check-ins")) > 0.6
    assert HISTORIES["new-places"](1).repeats is Repeats.EXCLUDE


def test_news_is_read_in_its_first_day() -> None:
    events = news(1).events
    first = np.full(len(events.item_ids), events.times_us[-1])
    np.minimum.at(first, events.items, events.times_us)
    hours = (events.times_us - first[events.items]) / 3.6e9
    assert np.mean(hours < 24) > 0.8
    assert np.median(hours) > 1


def test_catalogues_of_shops_grow() -> None:
    for name, least in (("shop", 0.25), ("flash", 0.6)):
        events = shop(1, name).events
        before = set(events.items[: len(events) // 4].tolist())
        assert len(set(events.items.tolist()) - before) > least * len(events.item_ids)


def test_music_has_ties_of_time_and_stays_with_artists() -> None:
    events = music(1).events
    order = np.lexsort((np.arange(len(events)), events.users))
    items = np.array([int(one[1:]) for one in events.item_ids])[events.items[order]]
    same_user = np.diff(events.users[order]) == 0
    same_time = np.diff(events.times_us[order]) == 0
    assert 0.1 < np.mean(same_time[same_user]) < 0.3
    assert np.mean((np.diff(items // 12) == 0)[same_user]) > 0.6


def test_events_are_in_order_of_time_and_of_one_time_as_they_came() -> None:
    events = events_of([Act(5.0, 7, 1), Act(1.0, 9, 2), Act(5.0, 3, 0)], "view", "session:")
    assert [events.user_ids[user] for user in events.users] == [
        "session:9", "session:7", "session:3",
    ]  # fmt: skip
    assert [events.item_ids[item] for item in events.items] == ["i2", "i1", "i0"]


def test_shares_sum_to_one_and_what_has_none_is_not_drawn() -> None:
    chance = np.random.default_rng(5)
    shares = skewed(chance, 50, 0.9)
    assert shares.sum() == pytest.approx(1.0)
    assert np.sort(shares)[-1] / np.sort(shares)[0] == pytest.approx(50**0.9)
    found = {drawn(chance, np.array([0.0, 2.0, 0.0, 1.0, 0.0])) for _ in range(200)}
    assert found == {1, 3}


def test_a_history_is_written_as_evaluate_reads_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["flash", "2"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    events = shop(2, "flash").events
    assert len(rows) == len(events)
    assert f"session:{rows[0]['session']}" == events.user_ids[events.users[0]]
    assert float(rows[-1]["timestamp"]) == pytest.approx(events.times_us[-1] / 1e6)
    assert main(["no such"]) == 2
