"""Surfaces in words: all that can be configured has some, and the same gives the same."""

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from harken.feedback.v1 import generation_pb2
from harken.feedback.v1 import surface_pb2 as pb
from services.common.surfaces.config_checks import check_config
from services.common.surfaces.sources import SOURCES
from services.common.validation import Checks
from services.feedback.surfaces.description.chance import POLICY_WORDS
from services.feedback.surfaces.description.description import (
    METHOD_WORDS,
    attributes_read,
    described,
)
from services.feedback.surfaces.description.order import SOURCE_WORDS
from services.feedback.surfaces.description.rules import RULE_WORDS, rule_sentence

OUTCOMES = [
    generation_pb2.Outcome(name="click", weight=1),
    generation_pb2.Outcome(name="hide", weight=-2),
    generation_pb2.Outcome(name="view"),
]
RULES: dict[str, tuple[dict[str, Any], str]] = {
    "boost": (
        {"boost": {"items": "item.numbers.price < 9.0", "factor": 0.5}},
        'items for which "item.numbers.price < 9.0" is true come later: their odds are multiplied'
        " by 0.5",
    ),
    "pin": ({"pin": {"itemId": "i-7", "slot": 2}}, 'item "i-7" stands at place 2'),
    "at_least": (
        {"atLeast": {"items": "'a' in item.tags", "count": 1}},
        "at least 1 item for which \"'a' in item.tags\" is true in each slate",
    ),
    "at_most": (
        {"atMost": {"items": "true", "count": 0}},
        'at most 0 items for which "true" is true in each slate',
    ),
    "share": (
        {"share": {"items": "true", "share": 0.125}},
        'at least 12.5% of the places for items for which "true" is true',
    ),
    "cap": (
        {"cap": {"attribute": "number.brand", "most": 2, "lastSlates": 3}},
        'at most 2 items of the same number "brand" in a slate and the person\'s last 3 slates of'
        " this surface",
    ),
    "sort": (
        {"sort": {"by": "item.numbers.price", "ascending": True}},
        'the chosen items are shown by "item.numbers.price", smallest first',
    ),
}


def config_of(**fields: Any) -> pb.SurfaceConfig:
    config = json_format.ParseDict(fields, pb.SurfaceConfig())
    checks = Checks()
    check_config(checks, "config", config, SOURCES)
    checks.done()
    return config


def words(config: pb.SurfaceConfig) -> str:
    sections = described(config, OUTCOMES)
    return "\n".join([line for heading, lines in sections for line in (f"# {heading}", *lines)])


def test_every_kind_of_rule_source_policy_and_method_has_words() -> None:
    """Whoever adds one has to say what it does."""
    kinds = {field.name for field in pb.Rule.DESCRIPTOR.oneofs_by_name["kind"].fields}
    assert set(RULE_WORDS) == kinds == set(RULES)
    assert set(SOURCE_WORDS) == set(SOURCES)
    policies = {field.name for field in pb.Exploration.DESCRIPTOR.oneofs_by_name["policy"].fields}
    assert set(POLICY_WORDS) == policies
    assert set(METHOD_WORDS) == set(pb.Diversity.Method.values())


@pytest.mark.parametrize("kind", RULES)
def test_a_rule_says_what_it_does_and_when(kind: str) -> None:
    written, said = RULES[kind]
    rule = json_format.ParseDict({"name": "r", **written}, pb.Rule())
    assert rule_sentence(rule) == f'Rule "r": {said}.'
    rule.when = "context.country ==\n 'de'"
    when = "where \"context.country == 'de'\" is true of the request"
    assert rule_sentence(rule) == f'Rule "r": {said}, {when}.'


_CHANGES: dict[str, dict[str, Any]] = {
    "outcome_weights": {"outcomeWeights": {"click": 3.0}},
    "gates": {"gates": [{"name": "g", "keep": "item.numbers.age < 18.0"}]},
    "seen": {"seen": {"purchase": "30d"}},
    "not_in_last_slates": {"notInLastSlates": 2},
    "sources": {"sources": [{"source": "new", "quota": 7}]},
    "rules": {"rules": [{"name": "hero", "pin": {"itemId": "i", "slot": 1}}]},
    "diversity": {"diversity": {"strength": 0.3}},
    "exploration": {"exploration": {"epsilon": 0.1}},
}


def test_every_part_of_a_configuration_is_in_the_words() -> None:
    """A new field of a surface without words fails here."""
    assert set(_CHANGES) == {field.name for field in pb.SurfaceConfig.DESCRIPTOR.fields}
    plain = words(pb.SurfaceConfig())
    for name, change in _CHANGES.items():
        assert words(config_of(**change)) != plain, name


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"sources": [{"source": "new"}]}, {"sources": [{"source": "new", "quota": 0}]}),
        ({"sources": [{"source": "new"}]}, {"sources": [{"source": "new", "weight": 2}]}),
        ({"sources": [{"source": "new"}]}, {"sources": [{"source": "new", "timeLimit": "0.05s"}]}),
        ({"diversity": {"strength": 0.3}},
         {"diversity": {"strength": 0.3, "method": "METHOD_MMR"}}),
        ({"diversity": {"strength": 0}}, {"diversity": {}}),
        ({"diversity": {"strength": 0.3}}, {"diversity": {}}),
        ({"exploration": {"thompsonScale": 0.1}}, {"exploration": {"thompsonScale": 0.2}}),
        ({"exploration": {"newItemShare": 0.1}},
         {"exploration": {"newItemShare": 0.1, "newItemEvents": 9}}),
        ({"seen": {"a": "forever"}}, {"seen": {"a": "never"}}),
        ({"seen": {"a": "1d"}}, {"seen": {"a": "1d", "*": "2w"}}),
    ],
)  # fmt: skip
def test_every_setting_of_a_part_is_in_the_words(
    less: dict[str, Any], more: dict[str, Any]
) -> None:
    assert words(config_of(**less)) != words(config_of(**more))


@pytest.mark.parametrize(
    ("period", "said"),
    [
        ("forever", "are left out for good"), ("never", "stay in"), ("0d", "stay in"),
        ("1h", "are left out for 1 hour"), ("26w", "are left out for 26 weeks"),
    ],
)  # fmt: skip
def test_how_long_what_was_seen_is_left_out(period: str, said: str) -> None:
    assert f'Items that the person had an event "buy" on {said}.' in words(
        config_of(seen={"buy": period})
    )
    assert f"Items that the person had any other event on {said}." in words(
        config_of(seen={"buy": "1d", "*": period})
    )
    assert "any other event on stay in." in words(config_of(seen={"buy": "1d"}))


def test_importance_is_said_in_numbers() -> None:
    said = words(config_of(outcomeWeights={"click": 6.0, "gone": 1.0}))
    assert "Outcome click has the weight 6 (set for this surface), which is 75% of all" in said
    assert "Outcome hide has the weight -2 (of the model), which is 25% of all weights, " in said
    assert "and speaks against an item." in said
    assert "Outcome view does not count (weight 0)." in said
    assert "Outcome gone has the weight 1, and is not predicted now." in said
    assert said.index("click has") < said.index("hide has")


def test_attributes_of_people_are_named_wherever_they_are_read() -> None:
    said = words(
        config_of(
            gates=[{"name": "age", "keep": "user.age >= 18.0 || item.title != 'user.name'"}],
            rules=[{"name": "r", "when": 'user["job"] == "x"',
                    "boost": {"items": "item.owner == user.city", "factor": 2}}],
        )
    )  # fmt: skip
    assert "Attributes of the person's profile: age, city and job." in said
    assert "No attributes of the person's profile." in words(pb.SurfaceConfig())
    found = attributes_read(iter(["my_user.a == 1 || x.user.b", "'user.c' == \"user.d\""]))
    assert found == []


_SORT = {"name": "by_price", "sort": {"by": "item.numbers.price"}}


@pytest.mark.parametrize(
    ("exploration", "probability"),
    [({"epsilon": 0.3}, "30%"), ({"newItemShare": 0.2}, "20%"),
     ({"plackettLuceTemperature": 0.5}, "temperature of 0.5")],
)  # fmt: skip
def test_exploration_that_a_sort_takes_away_is_not_promised(
    exploration: dict[str, Any], probability: str
) -> None:
    """docs/selection.md: a sort goes before exploration, which is lost."""
    assert probability in words(config_of(exploration=exploration))
    lost = words(config_of(exploration=exploration, rules=[_SORT]))
    assert probability not in lost
    assert 'Nothing is left to chance: rule "by_price" says what stands where' in lost
    assert "the exploration that is configured has no part" in lost
    sometimes = {**_SORT, "when": "context.sorted == '1'"}
    said = words(config_of(exploration=exploration, rules=[sometimes]))
    assert probability in said
    assert 'Where rule "by_price" applies, chance has no part' in said
    both = words(config_of(exploration=exploration, rules=[sometimes, {**_SORT, "name": "late"}]))
    assert 'rule "late" says what stands where' in both
    assert probability not in both


def test_what_chance_and_variety_need_is_said() -> None:
    nothing = "Nothing is left to chance: the best stands first."
    assert nothing in words(config_of(rules=[_SORT]))
    assert nothing in words(config_of(exploration={"epsilon": 0.0}))
    thompson = words(config_of(exploration={"thompsonScale": 1.0}))
    assert "Until choices have taught the order anything, chance has no part" in thompson
    pin = {"name": "hero", "pin": {"itemId": "i", "slot": 1}}
    assert "Pinned places are not left to chance." in words(
        config_of(exploration={"epsilon": 0.1}, rules=[pin])
    )
    assert "Where no item has a vector of what was learned, this has no part." in words(
        config_of(diversity={"strength": 0.3})
    )


def test_pins_that_cannot_all_stand_say_which_is_lost() -> None:
    """docs/selection.md: a pin is lost whose slot is another's."""
    pins = {"a": ("i-1", 1), "b": ("i-2", 1), "c": ("i-1", 3)}
    rules = [
        {"name": name, "pin": {"itemId": item, "slot": slot}} for name, (item, slot) in pins.items()
    ]
    said = words(config_of(rules=rules))
    assert 'Rules "a" and "b" are for the same place, 1: of those that apply' in said
    assert 'Rules "a" and "c" are for the same item, "i-1": of those that apply' in said
    alone = words(config_of(rules=rules[1:]))
    assert "are for the same" not in alone
    assert "A pinned place behind the end of a slate" in alone


@given(st.permutations(sorted(SOURCES)), st.permutations(["a", "b", "c"]))
def test_the_same_configuration_gives_the_same_words(sources: list[str], kinds: list[str]) -> None:
    """Whatever order its maps and sources are written in."""
    fixed = config_of(
        sources=[{"source": name, "quota": 5} for name in SOURCES],
        seen=dict.fromkeys("abc", "1d"),
        outcomeWeights=dict.fromkeys("abc", 1.0),
    )
    other = config_of(
        sources=[{"source": name, "quota": 5} for name in sources],
        seen=dict.fromkeys(kinds, "1d"),
        outcomeWeights=dict.fromkeys(kinds, 1.0),
    )
    assert words(fixed) == words(other)
