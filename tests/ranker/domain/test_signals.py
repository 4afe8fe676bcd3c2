"""Signals of candidates against their definitions."""

import math

import numpy as np
import pytest

from services.common.candidate_features import ROWS, SOURCES
from services.common.content_codes import content_code
from services.common.history_context import PLACES
from services.common.ranking.content_table import ContentTable
from services.common.ranking.popularity import Popularity
from services.common.ranking.rule_table import RuleTable
from services.common.ranking.signals import Signals
from services.common.ranking.sources.rules import RuleSource

NOW = 100_000.0
SIZE = 4
EVERY = np.arange(SIZE)


def popularity(cells: dict[tuple[int, int], float]) -> Popularity:
    found = Popularity(1.0)
    found.grow(SIZE)
    found.assign(EVERY, np.zeros(SIZE), np.ones(SIZE))
    items, places = (np.array([cell[kind] for cell in cells], np.int64) for kind in range(2))
    found.assign_places(items, places, np.array(list(cells.values())))
    return found


def signals(
    popular: Popularity,
    latest: list[int],
    times: list[float],
    contents: dict[int, dict[str, float]] | None = None,
) -> dict[str, np.ndarray]:
    rules = RuleTable()
    rules.grow(SIZE)
    items, seconds = np.array(latest, np.int64), np.array(times)
    source = RuleSource(rules, popular, items, seconds)
    names = ROWS[len(SOURCES) :]
    content = ContentTable()
    content.grow(SIZE)
    for item, features in (contents or {}).items():
        content.assign(item, content_code(features))
    table = np.full((len(names), SIZE), np.nan)
    Signals(popular, source, content, seconds, NOW).write(EVERY, np.zeros(SIZE), table)
    return dict(zip(names, table, strict=True))


def test_popular_is_what_others_did_at_the_same_place() -> None:
    # After one item, in a session of none: the last event is longer ago than half an hour.
    popular = popularity({(0, 1): 3.0, (1, 0): 3.0, (2, PLACES): 5.0, (2, 2): 1.0})
    found = signals(popular, [3, 3], [NOW - 2000, NOW - 2100])
    at_place = [8.0, 0.0, 0.0, 0.0]
    overall = [8.0, 8.0, 2.0, 0.0]
    shift = 5.0  # Relative to the highest level.
    for item in range(3):
        mass = at_place[item] + 1e-3 * overall[item]
        assert found["position"][item] == pytest.approx(math.log2(mass) - shift)
        assert found["recent"][item] == pytest.approx(math.log2(overall[item]) - shift)
    assert found["session"][2] == pytest.approx(math.log2(32 + 1e-3 * 2) - shift)
    assert np.isneginf([found[name][3] for name in ("position", "session", "recent")]).all()


def test_own_items_count_how_often_and_how_lately() -> None:
    found = signals(popularity({(0, 0): 1.0}), [2, 1, 2], [NOW - 1, NOW - 2, NOW - 3])
    assert found["own_count"].tolist() == [0.0, 1.0, pytest.approx(math.log2(3)), 0.0]
    assert found["own_recency"].tolist() == [0.0, 0.5, 1.0, 0.0]


def test_nobody_did_anything() -> None:
    found = signals(popularity({}), [], [])
    assert np.isneginf(found.pop("trend")).all()
    assert all(not values.any() for values in found.values())


def test_what_is_popular_just_now_is_told_apart() -> None:
    popular = popularity({(0, 0): 3.0})
    popular.assign_trends(np.array([1, 2]), np.array([7.0, 8.5]))
    assert signals(popular, [], [])["trend"].tolist() == [-math.inf, 7.0, 8.5, -math.inf]


def test_likeness_is_to_the_latest_items_by_rank() -> None:
    contents = {
        0: {"category=a": 1.0, "item=0": 0.5},
        1: {"category=a": 3.0, "category=b": 4.0},
        2: {"category=b": 2.0},
    }
    # Item 2 comes twice, and counts where it is latest; two of one time share their mean rank.
    times = [NOW - 1, NOW - 5, NOW - 5, NOW - 9]
    found = signals(popularity({(0, 0): 1.0}), [2, 0, 1, 2], times, contents)["content"]
    shared = 1 / math.sqrt(2.5)
    assert found == pytest.approx(
        [shared * (1 + 0.6), 0.8 + shared * (0.6 + 1), 1 + shared * 0.8, 0.0]
    )
    # Nothing is known of what somebody did last.
    assert not signals(popularity({}), [3], [NOW], contents)["content"].any()
