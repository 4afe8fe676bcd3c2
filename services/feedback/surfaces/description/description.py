"""A surface in words, part by part. The same configuration always gives the same words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from harken.feedback.v1 import generation_pb2
from harken.feedback.v1 import surface_pb2 as pb
from services.common.seen_period import ANY_TYPE, NEVER_US, seen_period_us
from services.common.surfaces.defaults import DIVERSITY_STRENGTH
from services.feedback.surfaces.description.chance import chance_sentences
from services.feedback.surfaces.description.order import outcome_sentences, source_sentences
from services.feedback.surfaces.description.pins import pin_conflicts
from services.feedback.surfaces.description.rules import rule_sentence
from services.feedback.surfaces.description.words import counted, joined, number, quoted

_TEXT = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_READS_USER = re.compile(
    rf"""{_TEXT}|(?<![\w.])user\s*(?:\.\s*(?P<name>[A-Za-z_]\w*)|\[\s*(?P<key>{_TEXT})\s*\])"""
)
_UNITS = MappingProxyType({"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"})


class Section(NamedTuple):
    """A part of a description, in English."""

    heading: str
    sentences: list[str]


def described(
    config: pb.SurfaceConfig, outcomes: Sequence[generation_pb2.Outcome]
) -> list[Section]:
    """Return how slates of a surface are made. outcomes: of the generation that serves."""
    return [
        Section("What decides the order", outcome_sentences(config.outcome_weights, outcomes)),
        Section("Where candidates come from", source_sentences(config.sources)),
        Section("What is never shown", _hidden(config)),
        Section("Rules", _rules(config)),
        Section("Variety", [_variety(config)]),
        Section("Chance", chance_sentences(config)),
        Section("What is used of a person", _personal(config)),
        Section("Without profiling", _without_profiling()),
    ]


def _hidden(config: pb.SurfaceConfig) -> list[str]:
    found = [
        f"Gate {quoted(gate.name)}: only items for which {quoted(gate.keep)} is true, whatever a"
        " request asks for."
        for gate in config.gates
    ]
    found.append("Items that are deleted, expired or not available.")
    if config.seen:
        found += [
            _seen(f"an event {quoted(kind)}", period)
            for kind, period in sorted(config.seen.items())
            if kind != ANY_TYPE
        ]
        found.append(_seen("any other event", config.seen.get(ANY_TYPE, "never")))
        found.append(
            "Items that the person had any other event on that speaks against them are left out for"
            " good."
        )
    else:
        found.append(
            "Items that the person has seen, by events and for as long as the settings of the"
            " ranking service say."
        )
    found.append("A request may allow what was seen, for its one answer.")
    if config.not_in_last_slates:
        last = counted(config.not_in_last_slates, "slate")
        found.append(f"Items of the person's last {last} of this surface.")
    found.append("Items that the request itself excludes.")
    return found


def _seen(event: str, period: str) -> str:
    """Return what becomes of items that an event was on; period: such as "30d"."""
    if seen_period_us(period) == NEVER_US:
        return f"Items that the person had {event} on stay in."
    how_long = "good" if period == "forever" else counted(int(period[:-1]), _UNITS[period[-1]])
    return f"Items that the person had {event} on are left out for {how_long}."


def _rules(config: pb.SurfaceConfig) -> list[str]:
    if not config.rules:
        return ["No rules are set."]
    return [
        *map(rule_sentence, config.rules),
        *pin_conflicts(config.rules),
        "Where they contradict each other: what is never shown goes first, then pinned places, caps"
        " and numbers (at most before at least), then odds, then variety. Of rules of one kind the"
        " one named first goes first. No rule leaves a place empty: where it would, it yields.",
    ]


METHOD_WORDS: Mapping["pb.Diversity.Method", str] = MappingProxyType(
    {
        pb.Diversity.METHOD_UNSPECIFIED: "a determinantal point process",
        pb.Diversity.METHOD_DPP: "a determinantal point process",
        pb.Diversity.METHOD_MMR: "maximal marginal relevance",
    }
)
"""How variety is reached, by the method."""


def _variety(config: pb.SurfaceConfig) -> str:
    diversity = config.diversity
    strength = diversity.strength if diversity.HasField("strength") else DIVERSITY_STRENGTH
    if not config.HasField("diversity") or strength == 0:
        return "Nothing is done for variety beyond the rules."
    return (
        "Items that resemble those above them count less, with a strength of"
        f" {number(strength)} from 0 (not at all) to 1 (only unlikeness counts), by"
        f" {METHOD_WORDS[diversity.method]}. Where no item has a vector of what was learned, this"
        " has no part."
    )


def _personal(config: pb.SurfaceConfig) -> list[str]:
    found = [
        "What the person did lately: up to 100 items with types, values and times of events.",
        "Which items the person has seen, and when.",
    ]
    remembered = max(
        config.not_in_last_slates,
        *(rule.cap.last_slates for rule in config.rules if rule.WhichOneof("kind") == "cap"),
        0,
    )
    if remembered:
        found.append(f"What the person's last {counted(remembered, 'slate')} of this surface held.")
    attributes = attributes_read(_expressions(config))
    if attributes:
        found.append(f"Attributes of the person's profile: {joined(attributes)}.")
    else:
        found.append("No attributes of the person's profile.")
    found.append("What the calling application says of the request, such as a country or a device.")
    return found


def _without_profiling() -> list[str]:
    return [
        "A request with non_personal set gets what a person nobody knows gets: nothing of a"
        " history, of a profile or of what was seen is used, and it teaches nothing. Gates, rules"
        " and variety hold as they are.",
        "Lists of what trends and of what was published last (ListTrending, ListLatest) use nothing"
        " of anybody.",
    ]


def attributes_read(expressions: Iterator[str]) -> list[str]:
    """Return which attributes of the user expressions read, in order."""
    found = set()
    for text in expressions:
        for match in _READS_USER.finditer(text):
            if match["name"]:
                found.add(match["name"])
            elif match["key"]:
                found.add(match["key"][1:-1])
    return sorted(found)


def _expressions(config: pb.SurfaceConfig) -> Iterator[str]:
    for gate in config.gates:
        yield gate.keep
    for rule in config.rules:
        yield rule.when
        yield rule.boost.items
        yield rule.pin.items
        yield rule.at_least.items
        yield rule.at_most.items
        yield rule.share.items
        yield rule.sort.by
