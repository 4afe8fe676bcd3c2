"""A configuration within its limits is right; beyond any of them the field is named, and only it.

The limits are written here as surface.proto states them.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from harken.feedback.v1 import surface_pb2 as pb
from services.common.errors import InvalidRequestError
from services.common.surfaces.config_checks import check_config
from services.common.validation import Checks

SOURCES = ("vector", "rules", "popularity", "trending", "given")
RICH: dict[str, Any] = {
    "outcome_weights": {"buy": 3.0, "hide": -1.0},
    "gates": [{"name": "adult", "keep": "item.numbers.age < 18.0"}],
    "seen": {"buy": "30d", "view": "never", "*": "forever"},
    "not_in_last_slates": 3,
    "sources": [
        {"source": "trending", "quota": 300, "weight": 2.0, "time_limit": "0.050s"},
        {"source": "rules", "quota": 0},
    ],
    "rules": [
        {
            "name": "fresh",
            "when": "context.country == 'de'",
            "boost": {"items": "has(item.title)", "factor": 2.0},
        },
        {"name": "hero", "pin": {"item_id": "i1", "slot": 1}},
        {"name": "any-hero", "pin": {"items": "'hero' in item.tags", "slot": 2}},
        {"name": "some", "at_least": {"items": "'a' in item.tags", "count": 2}},
        {"name": "few", "at_most": {"items": "'b' in item.tags", "count": 0}},
        {"name": "promoted", "share": {"items": "'p' in item.tags", "share": 0.2}},
        {"name": "sellers", "cap": {"attribute": "owner", "most": 2, "last_slates": 5}},
        {"name": "cheap_first", "sort": {"by": "item.numbers.price", "ascending": True}},
    ],
    "diversity": {"method": "METHOD_MMR", "strength": 0.3},
    "exploration": {"epsilon": 0.1, "new_item_share": 0.2, "new_item_events": 50},
}

Change = Callable[[pb.SurfaceConfig], object]


def rich() -> pb.SurfaceConfig:
    return ParseDict(RICH, pb.SurfaceConfig())


def faults(config: pb.SurfaceConfig) -> dict[str, str]:
    """Return what is wrong with fields of a configuration."""
    checks = Checks()
    check_config(checks, "config", config, SOURCES)
    try:
        checks.done()
    except InvalidRequestError as error:
        assert len({one.field for one in error.violations}) == len(error.violations)
        return {one.field: one.description for one in error.violations}
    return {}


def put(path: str, value: Any) -> Change:
    """Return what sets a field: names, and numbers for elements of lists, with dots between."""

    def change(config: pb.SurfaceConfig) -> None:
        *parents, last = path.split(".")
        at: Any = config
        for part in parents:
            at = at[int(part)] if part.isdigit() else getattr(at, part)
        setattr(at, last, value)

    return change


def weight(name: str, value: float) -> Change:
    return lambda config: config.outcome_weights.update({name: value})


def seen(event_type: str, text: str) -> Change:
    return lambda config: config.seen.update({event_type: text})


def time_limit(seconds: int, nanos: int) -> Change:
    def change(config: pb.SurfaceConfig) -> None:
        config.sources[0].time_limit.seconds = seconds
        config.sources[0].time_limit.nanos = nanos

    return change


def more(field: str, count: int) -> Change:
    """Return what makes a list or map as long as this."""

    def change(config: pb.SurfaceConfig) -> None:
        match field:
            case "gates":
                del config.gates[:]
                config.gates.extend(pb.Gate(name=f"g{n}", keep="true") for n in range(count))
            case "rules":
                del config.rules[:]
                config.rules.extend(
                    pb.Rule(name=f"r{n}", sort=pb.Sort(by="1.0")) for n in range(count)
                )
            case _:
                chosen: Any = getattr(config, field)
                chosen.clear()
                value = 1.0 if field == "outcome_weights" else "1d"
                chosen.update({f"k{n}": value for n in range(count)})

    return change


LONG = "item.id == '" + "x" * 2035 + "'"
CONDITION = "user.name == '" + "x" * 2033 + "'"
assert len(LONG) == len(CONDITION) == 2048


def test_a_rich_configuration_and_an_empty_one_are_right() -> None:
    assert faults(rich()) == {}
    assert faults(pb.SurfaceConfig()) == {}


@pytest.mark.parametrize(
    "change",
    [
        more("gates", 20), more("rules", 50), more("outcome_weights", 100), more("seen", 100),
        weight("x" * 64, -1e300), seen("a", "100w"), seen("a", "0s"),
        put("gates.0.name", "a" * 64), put("gates.0.keep", LONG), put("rules.0.when", CONDITION),
        put("not_in_last_slates", 50), put("not_in_last_slates", 0),
        put("sources.0.quota", 1000), put("sources.0.weight", 0.01),
        put("sources.0.weight", 100.0), time_limit(0, 1_000_000), time_limit(1, 0),
        put("rules.0.boost.factor", 0.001), put("rules.0.boost.factor", 1000.0),
        put("rules.1.pin.slot", 100), put("rules.3.at_least.count", 100),
        put("rules.3.at_least.count", 1), put("rules.4.at_most.count", 100),
        put("rules.5.share.share", 1.0), put("rules.5.share.share", 1e-9),
        put("rules.6.cap.most", 100), put("rules.6.cap.most", 1),
        put("rules.6.cap.last_slates", 50), put("rules.6.cap.last_slates", 0),
        put("rules.6.cap.attribute", "category"), put("rules.6.cap.attribute", "tag"),
        put("rules.6.cap.attribute", "number." + "k" * 128),
        put("diversity.strength", 0.0), put("diversity.strength", 1.0), put("diversity.method", 0),
        put("exploration.epsilon", 0.0), put("exploration.epsilon", 1.0),
        put("exploration.plackett_luce_temperature", 0.001),
        put("exploration.plackett_luce_temperature", 100.0),
        put("exploration.new_item_share", 0.5), put("exploration.new_item_events", 10_000),
    ],
)  # fmt: skip
def test_the_limits_themselves_are_right(change: Change) -> None:
    config = rich()
    change(config)
    assert faults(config) == {}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("gates", more("gates", 21)),
        ("rules", more("rules", 51)),
        ("outcome_weights", more("outcome_weights", 101)),
        ("seen", more("seen", 101)),
        ("outcome_weights['buy']", weight("buy", math.nan)),
        ("outcome_weights['buy']", weight("buy", -math.inf)),
        ("outcome_weights['']", weight("", 1.0)),
        (f"outcome_weights['{'x' * 65}']", weight("x" * 65, 1.0)),
        ("seen['view']", seen("view", "soon")),
        ("seen['view']", seen("view", "")),
        ("seen['view']", seen("view", "1.5d")),
        ("seen['view']", seen("view", "101000w")),
        ("seen['']", seen("", "1d")),
        ("gates[0].name", put("gates.0.name", "")),
        ("gates[0].name", put("gates.0.name", "a" * 65)),
        ("gates[0].name", put("gates.0.name", "Adult")),
        ("gates[0].keep", put("gates.0.keep", "")),
        ("gates[0].keep", put("gates.0.keep", LONG + " ")),
        ("gates[1].name", lambda config: config.gates.append(config.gates[0])),
        ("not_in_last_slates", put("not_in_last_slates", 51)),
        ("sources[0].source", put("sources.0.source", "vectro")),
        ("sources[0].source", put("sources.0.source", "")),
        ("sources[1].source", put("sources.1.source", "trending")),
        ("sources[0].quota", put("sources.0.quota", 1001)),
        ("sources[0].weight", put("sources.0.weight", 0.0)),
        ("sources[0].weight", put("sources.0.weight", 100.1)),
        ("sources[0].weight", put("sources.0.weight", math.nan)),
        ("sources[0].time_limit", time_limit(0, 0)),
        ("sources[0].time_limit", time_limit(0, 999_999)),
        ("sources[0].time_limit", time_limit(1, 1)),
        ("sources[0].time_limit", time_limit(1, -1)),
        ("sources[0].time_limit", time_limit(0, 1_000_000_000)),
        ("rules[0].name", put("rules.0.name", "")),
        ("rules[1].name", put("rules.1.name", "fresh")),
        ("rules[0].when", put("rules.0.when", LONG + " ")),
        ("rules[0]", lambda config: config.rules[0].ClearField("boost")),
        ("rules[0].boost.items", put("rules.0.boost.items", "")),
        ("rules[0].boost.factor", put("rules.0.boost.factor", 0.0)),
        ("rules[0].boost.factor", put("rules.0.boost.factor", -1.0)),
        ("rules[0].boost.factor", put("rules.0.boost.factor", 1000.1)),
        ("rules[0].boost.factor", put("rules.0.boost.factor", math.nan)),
        ("rules[1].pin", lambda config: config.rules[1].pin.ClearField("item_id")),
        ("rules[1].pin.item_id", put("rules.1.pin.item_id", "")),
        ("rules[1].pin.item_id", put("rules.1.pin.item_id", "x" * 129)),
        ("rules[1].pin.slot", put("rules.1.pin.slot", 0)),
        ("rules[1].pin.slot", put("rules.1.pin.slot", 101)),
        ("rules[2].pin.items", put("rules.2.pin.items", "")),
        ("rules[3].at_least.count", put("rules.3.at_least.count", 0)),
        ("rules[3].at_least.count", put("rules.3.at_least.count", 101)),
        ("rules[3].at_least.items", put("rules.3.at_least.items", "")),
        ("rules[4].at_most.count", put("rules.4.at_most.count", 101)),
        ("rules[4].at_most.items", put("rules.4.at_most.items", "")),
        ("rules[5].share.share", put("rules.5.share.share", 0.0)),
        ("rules[5].share.share", put("rules.5.share.share", 1.01)),
        ("rules[5].share.share", put("rules.5.share.share", math.nan)),
        ("rules[5].share.items", put("rules.5.share.items", "")),
        ("rules[6].cap.attribute", put("rules.6.cap.attribute", "")),
        ("rules[6].cap.attribute", put("rules.6.cap.attribute", "seller")),
        ("rules[6].cap.attribute", put("rules.6.cap.attribute", "number.")),
        ("rules[6].cap.attribute", put("rules.6.cap.attribute", "number." + "k" * 129)),
        ("rules[6].cap.most", put("rules.6.cap.most", 0)),
        ("rules[6].cap.most", put("rules.6.cap.most", 101)),
        ("rules[6].cap.last_slates", put("rules.6.cap.last_slates", 51)),
        ("rules[7].sort.by", put("rules.7.sort.by", "")),
        ("diversity.method", put("diversity.method", 7)),
        ("sources[0].time_limit", put("sources.0.source", "vector")),
        ("sources[0].time_limit", put("sources.0.source", "given")),
        ("rules[0].name", put("rules.0.name", "exploration")),
        ("rules[1].name", put("rules.1.name", "diversity")),
        ("diversity.strength", put("diversity.strength", 1.1)),
        ("diversity.strength", put("diversity.strength", -0.1)),
        ("diversity.strength", put("diversity.strength", math.nan)),
        ("exploration.epsilon", put("exploration.epsilon", 1.1)),
        ("exploration.epsilon", put("exploration.epsilon", math.nan)),
        (
            "exploration.plackett_luce_temperature",
            put("exploration.plackett_luce_temperature", 0.0),
        ),
        (
            "exploration.plackett_luce_temperature",
            put("exploration.plackett_luce_temperature", 101.0),
        ),
        ("exploration.thompson_scale", put("exploration.thompson_scale", 0.0)),
        ("exploration.thompson_scale", put("exploration.thompson_scale", 101.0)),
        ("exploration.new_item_share", put("exploration.new_item_share", 0.51)),
        ("exploration.new_item_share", put("exploration.new_item_share", -0.1)),
        ("exploration.new_item_events", put("exploration.new_item_events", 10_001)),
    ],
)
def test_beyond_a_limit_the_field_is_named_and_only_it(field: str, change: Change) -> None:
    config = rich()
    change(config)
    found = faults(config)
    assert list(found) == [f"config.{field}"]
    assert all(found.values())


@pytest.mark.parametrize(
    ("field", "text", "place"),
    [
        ("gates.0.keep", "item.numbers.age <", "line 1, column 19"),
        ("gates.0.keep", "item.numbers.age", "line 1, column 13"),
        ("gates.0.keep", "true &&\n item.nothing == 1", "line 2, column 6"),
        ("rules.0.when", "item.id == 'a'", "line 1, column 5"),
        ("rules.0.when", "1.0", "line 1, column 1"),
        ("rules.0.boost.items", "context.country", "line 1, column 8"),
        ("rules.2.pin.items", "'a' in item.title", "line 1, column 5"),
        ("rules.3.at_least.items", "foo", "line 1, column 1"),
        ("rules.4.at_most.items", ")", "line 1, column 1"),
        ("rules.5.share.items", "2", "line 1, column 1"),
        ("rules.7.sort.by", "item.title", "line 1, column 5"),
        ("rules.7.sort.by", "true", "line 1, column 1"),
    ],
)
def test_expressions_are_parsed_and_their_faults_have_a_place(
    field: str, text: str, place: str
) -> None:
    """Places are counted by hand: of the operator or field that is wrong, or of the end."""
    config = rich()
    put(field, text)(config)
    [(named, what)] = faults(config).items()
    assert named == "config." + re.sub(r"\.([0-9])", r"[\1]", field)
    assert what.startswith(place)


def test_all_faults_are_named_at_once() -> None:
    config = rich()
    for change in (put("gates.0.keep", ""), put("diversity.strength", 2.0), seen("a", "?")):
        change(config)
    assert set(faults(config)) == {
        "config.gates[0].keep", "config.diversity.strength", "config.seen['a']",
    }  # fmt: skip
