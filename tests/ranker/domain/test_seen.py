"""Seen items: what hides an item for how long, and that it depends on the events alone (truth 6).

The oracle is a dict of item -> kind -> latest (event time, place in the log).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common import seen_window
from services.common.seen_period import FOREVER_US, NEVER_US
from services.feedback.events.domain import event_types
from services.profile.domain.behaviour import seen_pairs_of
from services.profile.domain.changes import UserEvent
from services.profile.domain.history_codec import records_of, tail_history
from services.ranker.domain import seen_items
from services.ranker.domain.seen_items import SEEN, SeenItems, SeenKinds
from services.ranker.domain.seen_rule import (
    ALL_FOREVER,
    PRESETS,
    SeenRule,
    preset_rule,
    read_rule,
    read_rules,
)

CODES = {"view": 0, "purchase": 1, "hide": 2, "rate": 3}
WINDOW = 6


class Happened(NamedTuple):
    item: int
    type: str
    negative: bool
    time_us: int


HAPPENED = st.builds(
    Happened,
    st.integers(0, 15),
    st.sampled_from(sorted(CODES)),
    st.booleans(),
    st.integers(0, 12).map(lambda n: n * 500_000),
)
RULES = st.builds(
    SeenRule,
    st.dictionaries(
        st.sampled_from(sorted(CODES)),
        st.sampled_from([FOREVER_US, NEVER_US, 500_000, 2_000_000, 3_000_000]),
    ),
    st.sampled_from([NEVER_US, NEVER_US, FOREVER_US, 1_000_000]),
)

Latest = dict[tuple[int, tuple[str, bool]], tuple[int, int]]


def latest_of(events: Iterable[Happened]) -> Latest:
    latest: Latest = {}
    for place, event in enumerate(events):
        pair = (event.item, (event.type, event.negative))
        latest[pair] = max(latest.get(pair, (-1, -1)), (event.time_us, place))
    return latest


def kept_of(latest: Latest, window: int) -> Latest:
    """Return the newest pairs, and the newest pair of each of the newest items."""
    newest_first = sorted(latest, key=lambda pair: latest[pair], reverse=True)
    items = list(dict.fromkeys(item for item, _ in newest_first))[:window]
    of_items = [next(pair for pair in newest_first if pair[0] == item) for item in items]
    return {pair: latest[pair] for pair in {*newest_first[:window], *of_items}}


def hidden_by(rule: SeenRule, kept: Latest, now_us: int) -> set[int]:
    hidden = set()
    for (item, (kind, negative)), (time_us, _) in kept.items():
        length = rule.by_type.get(kind, FOREVER_US if negative else rule.others_us)
        if length == FOREVER_US or (length != NEVER_US and now_us < time_us + length):
            hidden.add(item)
    return hidden


def entries_of(events: Sequence[Happened], kinds: SeenKinds) -> np.ndarray:
    rows = [(e.item, kinds.number(e.type, e.negative), e.time_us) for e in events]
    return np.array(rows, dtype=SEEN)


def answered_by_profile(events: Sequence[Happened], kinds: SeenKinds) -> np.ndarray:
    """Return what a replica gets that asks profile after these events; item ids are ordinals."""
    told = [
        UserEvent(str(e.item), e.type, 0.0, e.time_us, -1.0 if e.negative else 1.0, place)
        for place, e in enumerate(events, 1)
    ]
    pairs = seen_pairs_of(tail_history(records_of(told, CODES)), list(CODES))
    rows = [
        (int(pairs.item_ids[item]), kinds.number(*pairs.kinds[kind]), time_us)
        for item, kind, time_us in zip(
            pairs.pair_items, pairs.pair_kinds, pairs.pair_times_us, strict=True
        )
    ]
    return np.array(rows[::-1], dtype=SEEN)


@given(
    st.lists(st.lists(HAPPENED, max_size=8), max_size=12),
    st.integers(0, 12),
    st.lists(RULES, min_size=1, max_size=4),
    st.integers(0, 20).map(lambda n: n * 500_000),
)
def test_replicas_hide_the_same_whenever_they_began_to_remember(
    frames: list[list[Happened]], asked: int, rules: list[SeenRule], now_us: int
) -> None:
    """One held the user all along, one asked profile on the way, one asks now; and the oracle."""
    everything = [event for frame in frames for event in frame]
    with (
        mock.patch.object(seen_window, "SEEN_LENGTH", WINDOW),
        mock.patch.object(seen_items, "SEEN_LENGTH", WINDOW),
        mock.patch.object(seen_items, "_SLACK", 3),
    ):
        kinds = SeenKinds()
        before = [event for frame in frames[:asked] for event in frame]
        held, joined = SeenItems(), SeenItems(answered_by_profile(before, kinds))
        for number, frame in enumerate(frames):
            events = entries_of(frame, kinds)
            held.add(events)
            if number % 3 == 0:
                held.entries()
            if number >= asked:
                joined.add(events)
        fresh = SeenItems(answered_by_profile(everything, kinds))
        kept = kept_of(latest_of(everything), WINDOW)
        for rule in [*rules, ALL_FOREVER]:
            expected = hidden_by(rule, kept, now_us)
            for one in (held, joined, fresh):
                assert set(one.hidden(rule, kinds, now_us / 1e6).tolist()) == expected
        for one in (held, joined, fresh):
            assert one.entries().size <= max(2 * WINDOW, WINDOW + 3)


def test_ten_thousand_pairs_are_all_that_is_remembered() -> None:
    kinds = SeenKinds()
    view, like, play = (kinds.number(name, negative=False) for name in ("view", "like", "play"))
    held = SeenItems()
    for item in range(7000):
        # Three kinds an item, but for the latest: only pairs beyond the newest 5000 are left out.
        times = [(item, kind, item) for kind in (view, like, play)[: 3 if item < 6000 else 1]]
        held.add(np.array(times, dtype=SEEN))
        assert held.entries().nbytes <= 14 * 10_000
    entries = held.entries()
    assert np.unique(entries["item"]).tolist() == list(range(2000, 7000))
    assert entries[entries["kind"] == view]["item"].min() == 6000 - 4000 // 3


def test_coming_back_to_the_same_items_takes_no_more_memory() -> None:
    held = SeenItems()
    for number in range(20_000):
        held.add(np.array([(number % 60, 1, number)], dtype=SEEN))
        assert held.nbytes <= 14 * 1.5 * (2 * 60 + 65)
    assert held.entries()["time"].max() == 19_999


@pytest.mark.parametrize("time_us", [1_700_000_000_123_457, -62_135_596_800_000_000 + 1])
def test_an_item_comes_back_at_the_very_moment(time_us: int) -> None:
    kinds = SeenKinds()
    rule = read_rule({"purchase": "30d"})
    number = kinds.number("purchase", negative=False)
    seen = SeenItems(np.array([(7, number, time_us)], dtype=SEEN))
    end_us = time_us + 30 * 86_400 * 1_000_000
    # Seconds as a float are of this time only to the microsecond when it is near to ours.
    step_us = 1 if time_us > 0 else 1000
    assert seen.hidden(rule, kinds, (end_us - step_us) / 1e6).tolist() == [7]
    assert seen.hidden(rule, kinds, (end_us + (step_us if step_us > 1 else 0)) / 1e6).size == 0


def test_what_is_not_known_to_be_harmless_hides_for_ever() -> None:
    rule = read_rule({"*": "never", "purchase": "1s"})
    assert rule.hides_us("", negative=False) == FOREVER_US
    assert rule.hides_us("skip", negative=True) == FOREVER_US
    assert rule.hides_us("view", negative=False) == NEVER_US
    assert read_rule({"skip": "1d"}).hides_us("skip", negative=True) == 86_400_000_000


def test_rules_as_they_are_written() -> None:
    rule = read_rule(
        {"a": "90s", "b": "2m", "c": "3h", "d": "30d", "e": "2w", "f": "0d", "*": "1s"}
    )
    assert {name: us / 1e6 for name, us in rule.by_type.items() if us > 0} == {
        "a": 90, "b": 120, "c": 10_800, "d": 2_592_000, "e": 1_209_600,
    }  # fmt: skip
    assert rule.by_type["f"] == NEVER_US
    assert rule.others_us == 1_000_000
    assert not rule.is_all_forever
    assert read_rule({"*": "forever", "play": "forever"}).is_all_forever
    assert not read_rule({"*": "forever", "view": "never"}).is_all_forever


def test_surfaces_without_a_rule_have_that_of_all_or_the_presets() -> None:
    own = {"basket": {"hide": "1d"}}
    rules = read_rules(own, "media")
    assert rules.of("home").is_all_forever
    assert rules.of("basket").by_type == {"hide": 86_400_000_000}
    rules = read_rules({**own, "*": {"buy": "2d"}}, "media")
    assert rules.of("home").by_type == rules.of("").by_type == {"buy": 172_800_000_000}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str) -> None:
    rule = read_rules({}, preset).of("home")
    assert rule.hides_us("hide", negative=True) == FOREVER_US
    looked = FOREVER_US if preset in {"media", "social_feed", "education"} else NEVER_US
    assert rule.hides_us("view", negative=False) == looked
    for done in ("purchase", "buy"):
        if done in preset_rule(preset):
            assert rule.hides_us(done, negative=False) == 30 * 86_400_000_000


def test_presets_are_those_of_feedback_and_name_types_that_it_has() -> None:
    assert PRESETS == event_types.PRESETS
    for name in PRESETS:
        assert set(preset_rule(name)) <= {"*", *event_types.preset(name)}


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ({"home": {"purchase": "30x"}}, "surface 'home': 'purchase' is neither"),
        ({"home": {"purchase": ""}}, "'purchase' is neither"),
        ({"*": {"purchase": "30d", "*": "-1d"}}, r"surface '\*': '\*' is neither"),
        ({"home": {"purchase": "٣d"}}, "is neither"),
        ({"home": {"purchase": "101000d"}}, "longer than 100 years"),
    ],
)
def test_what_is_no_duration_is_named(written: dict[str, dict[str, str]], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_rules(written, "media")
