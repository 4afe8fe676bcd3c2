"""What decides the order of a slate, and how much each part counts."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from harken.feedback.v1 import generation_pb2
from harken.feedback.v1 import surface_pb2 as pb
from services.common.surfaces.defaults import SOURCE_QUOTA
from services.common.surfaces.sources import (
    BASE,
    GIVEN,
    NEW,
    SIMILAR,
    SOURCES,
    TRENDING,
)
from services.feedback.surfaces.description.words import counted, number, percent

SOURCE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "vector": "items like those that the person liked lately, by what was learned from all"
        " people (vector)",
        "rules": "items that others went on to from those that the person liked lately (rules)",
        "popularity": "items that are popular with everybody (popularity)",
        TRENDING: "items that are popular just now in the categories of what the person liked"
        " last (trending)",
        NEW: "items with few events so far, the latest published first (new)",
        SIMILAR: "items that resemble the last one that the person liked (similar)",
        GIVEN: "items that the calling application proposes itself, with what it adds to their"
        " odds (given)",
    }
)
"""What each source of candidates proposes, by its name."""


def outcome_sentences(
    weights: Mapping[str, float], outcomes: Sequence[generation_pb2.Outcome]
) -> list[str]:
    """Return what the order follows. weights: of the surface; outcomes: of what serves."""
    found = ["Items come in the order of a score: for each outcome its predicted probability times"
             " its weight, summed."]  # fmt: skip
    of_all = {outcome.name: outcome.weight for outcome in outcomes}
    counting = {name: weights.get(name, weight) for name, weight in of_all.items()}
    total = sum(map(abs, counting.values()))
    for name, weight in sorted(counting.items(), key=lambda one: (-abs(one[1]), one[0])):
        if weight == 0:
            found.append(f"Outcome {name} does not count (weight 0).")
            continue
        direction = "" if weight > 0 else ", and speaks against an item"
        source = "set for this surface" if name in weights else "of the model"
        found.append(
            f"Outcome {name} has the weight {number(weight)} ({source}), which is"
            f" {percent(abs(weight) / total)} of all weights{direction}."
        )
    found += [
        f"Outcome {name} has the weight {number(weights[name])}, and is not predicted now."
        for name in sorted(weights.keys() - of_all.keys())
    ]
    if not outcomes:
        found.append("No model serves yet, so no outcome is predicted.")
    unnamed = sorted(of_all.keys() - weights.keys())
    if unnamed:
        found.append(
            "Settings of the ranking service may give this surface other weights for outcomes that"
            " are not set here."
        )
    found.append(
        "Probabilities are predicted from how the sources below rank an item and how strongly they"
        " propose it, from how popular it is at this point of a history, in this session and"
        " lately, from how often and how lately the person had it, from how like the person's last"
        " items its content is, and from how many events it has. How much each of these counts is"
        " learned from what people do, and is said of every item where an answer is asked to"
        " explain itself."
    )
    return found


def source_sentences(settings: Sequence[pb.SourceSetting]) -> list[str]:
    """Return where candidates come from."""
    by_name = {one.source: one for one in settings}
    found = []
    for name in SOURCES:
        setting = by_name.get(name, pb.SourceSetting(source=name))
        if not setting.HasField("quota") and name not in (*BASE, GIVEN) and name not in by_name:
            continue
        found.append(_source(name, setting))
    unused = [name for name in SOURCES if name not in (*BASE, GIVEN) and name not in by_name]
    if unused:
        found.append(f"Not used here: {', '.join(unused)}.")
    return found


def _source(name: str, setting: pb.SourceSetting) -> str:
    what = SOURCE_WORDS[name]
    if setting.HasField("quota") and setting.quota == 0:
        return f"Not used here, by configuration: {what}."
    parts = [what[0].upper() + what[1:]]
    if setting.HasField("quota"):
        parts.append(f"at most {counted(setting.quota, 'item')}")
    elif name not in (*BASE, GIVEN):
        parts.append(f"at most {counted(SOURCE_QUOTA, 'item')}")
    if setting.HasField("weight") and setting.weight != 1:
        parts.append(
            f"the odds of what nothing else proposes are multiplied by {number(setting.weight)}"
        )
    if setting.HasField("time_limit"):
        limit = setting.time_limit.seconds + setting.time_limit.nanos / 1e9
        parts.append(f"left out of an answer where it takes longer than {number(limit)} s")
    return "; ".join(parts) + "."
