"""Checks of the configuration of a surface. Limits are those that surface.proto states.

Each part is checked by itself: rules that contradict each other are right, and which of them yields
is the ranker's to decide, by the precedence that surface.proto states.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration

from harken.feedback.v1 import surface_pb2 as pb
from services.common.seen_period import ANY_TYPE, seen_period_us
from services.common.surfaces.expression_checks import Expected, check_expression
from services.common.surfaces.rule_checks import MAX_LAST_SLATES, check_rule
from services.common.surfaces.sources import BASE, GIVEN
from services.common.validation import Checks

_MAX_NAME_BYTES = 64
_MAX_ENTRIES = 100
"""Of a map."""
_MAX_GATES = 20
_MAX_RULES = 50
_MAX_QUOTA = 1000
_MAX_YOUNG_EVENTS = 10_000


def check_config(
    checks: Checks, field: str, config: pb.SurfaceConfig, sources: Collection[str]
) -> None:
    """Check all of a configuration, at `field` of a request; faults name fields within it.

    sources: names of the sources that there are.
    """
    _check_weights(checks, f"{field}.outcome_weights", config.outcome_weights)
    _check_each(checks, f"{field}.gates", config.gates, _MAX_GATES, _check_gate)
    _check_seen(checks, f"{field}.seen", config.seen)
    checks.between(f"{field}.not_in_last_slates", config.not_in_last_slates, 0, MAX_LAST_SLATES)
    _check_sources(checks, f"{field}.sources", config.sources, sources)
    _check_each(checks, f"{field}.rules", config.rules, _MAX_RULES, check_rule)
    if config.HasField("diversity"):
        _check_diversity(checks, f"{field}.diversity", config.diversity)
    if config.HasField("exploration"):
        check_exploration(checks, f"{field}.exploration", config.exploration)


def _check_each(
    checks: Checks,
    field: str,
    parts: Sequence[Any],
    most: int,
    check: Callable[[Checks, str, Any], None],
) -> None:
    """Check parts that have names, each its own."""
    if not checks.size(field, len(parts), 0, most):
        return
    names: set[str] = set()
    for index, part in enumerate(parts):
        own = f"{field}[{index}]"
        check(checks, own, part)
        if part.name in names:
            checks.fail(f"{own}.name", f"{part.name!r} is there already")
        names.add(part.name)


def _check_weights(checks: Checks, field: str, weights: Any) -> None:
    if not checks.size(field, len(weights), 0, _MAX_ENTRIES):
        return
    for name, weight in sorted(weights.items()):
        checks.id(f"{field}[{name!r}]", name, _MAX_NAME_BYTES)
        if not math.isfinite(weight):
            checks.fail(f"{field}[{name!r}]", "must be finite")


def _check_gate(checks: Checks, field: str, gate: pb.Gate) -> None:
    checks.name(f"{field}.name", gate.name)
    check_expression(checks, f"{field}.keep", gate.keep, Expected.FILTER)


def _check_seen(checks: Checks, field: str, seen: Any) -> None:
    if not checks.size(field, len(seen), 0, _MAX_ENTRIES):
        return
    for event_type, text in sorted(seen.items()):
        own = f"{field}[{event_type!r}]"
        if event_type != ANY_TYPE:
            checks.id(own, event_type, _MAX_NAME_BYTES)
        try:
            seen_period_us(text)
        except ValueError as error:
            checks.fail(own, str(error))


def _check_sources(
    checks: Checks, field: str, settings: Sequence[pb.SourceSetting], known: Collection[str]
) -> None:
    names: set[str] = set()
    for index, setting in enumerate(settings):
        own = f"{field}[{index}]"
        if setting.source not in known:
            what = f"there is no source {setting.source!r}, but {', '.join(known)}"
            checks.fail(f"{own}.source", what)
        elif setting.source in names:
            checks.fail(f"{own}.source", f"{setting.source!r} is there already")
        names.add(setting.source)
        if setting.HasField("quota"):
            checks.between(f"{own}.quota", setting.quota, 0, _MAX_QUOTA)
        if setting.HasField("weight"):
            checks.between(f"{own}.weight", setting.weight, 0.01, 100)
        if setting.HasField("time_limit"):
            _check_time_limit(checks, f"{own}.time_limit", setting.time_limit)
            if setting.source in (*BASE, GIVEN):
                what = f"must not be set: {setting.source!r} is a part of every slate"
                checks.fail(f"{own}.time_limit", what)


def _check_time_limit(checks: Checks, field: str, limit: Duration) -> None:
    sound = 0 <= limit.nanos < 1_000_000_000
    if not (sound and 0.001 <= limit.seconds + limit.nanos / 1e9 <= 1):
        checks.fail(field, f"must be 0.001 to 1 s, is {limit.seconds} s and {limit.nanos} ns")


def _check_diversity(checks: Checks, field: str, diversity: pb.Diversity) -> None:
    if diversity.method not in pb.Diversity.Method.values():
        checks.fail(f"{field}.method", "is not a method")
    checks.between(f"{field}.strength", diversity.strength, 0, 1)


def check_exploration(checks: Checks, field: str, exploration: pb.Exploration) -> None:
    """Check how slates explore."""
    match exploration.WhichOneof("policy"):
        case "epsilon":
            checks.between(f"{field}.epsilon", exploration.epsilon, 0, 1)
        case "plackett_luce_temperature":
            temperature = exploration.plackett_luce_temperature
            checks.between(f"{field}.plackett_luce_temperature", temperature, 0.001, 100)
        case "thompson_scale":
            checks.between(f"{field}.thompson_scale", exploration.thompson_scale, 0.01, 100)
        case _:
            pass
    checks.between(f"{field}.new_item_share", exploration.new_item_share, 0, 0.5)
    checks.between(f"{field}.new_item_events", exploration.new_item_events, 0, _MAX_YOUNG_EVENTS)
