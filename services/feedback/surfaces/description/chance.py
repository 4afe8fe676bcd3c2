"""What of a slate is left to chance, and what takes it from chance."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harken.feedback.v1 import surface_pb2 as pb
from services.common.surfaces.defaults import NEW_ITEM_EVENTS
from services.feedback.surfaces.description.words import (
    counted,
    joined,
    number,
    percent,
    quoted,
)

_NOTHING = "Nothing is left to chance: the best stands first."


def _epsilon(one: pb.Exploration) -> str:
    return (
        f"Each place goes with a probability of {percent(one.epsilon)} to any of the candidates,"
        " else to the best."
    )


def _plackett_luce(one: pb.Exploration) -> str:
    return (
        "Each place is drawn, the better an item the likelier, at a temperature of"
        f" {number(one.plackett_luce_temperature)} (towards 0 the best always stands first)."
    )


def _thompson(one: pb.Exploration) -> str:
    return (
        "Each place goes to the best by one of 32 draws of the weights that the order has learned,"
        f" by how sure they are, {number(one.thompson_scale)} times as wide. Until choices have"
        " taught the order anything, chance has no part, and the best stands first."
    )


POLICY_WORDS: Mapping[str, Callable[[pb.Exploration], str]] = MappingProxyType(
    {
        "epsilon": _epsilon,
        "plackett_luce_temperature": _plackett_luce,
        "thompson_scale": _thompson,
    }
)
"""How places leave what is best, by the policy."""


def chance_sentences(config: pb.SurfaceConfig) -> list[str]:
    """Return how places leave what is best. A sort says what stands where, so where one applies
    exploration has no part.
    """
    found = _exploration_sentences(config.exploration)
    if not found:
        return [_NOTHING]
    sorts = [rule for rule in config.rules if rule.WhichOneof("kind") == "sort"]
    always = [rule for rule in sorts if not rule.when]
    if always:
        return [
            f"Nothing is left to chance: rule {quoted(always[0].name)} says what stands where, so"
            " the exploration that is configured has no part."
        ]
    if sorts:
        names = joined([quoted(rule.name) for rule in sorts])
        which = f"rule {names} applies" if len(sorts) == 1 else f"one of the rules {names} applies"
        found.append(f"Where {which}, chance has no part: it says what stands where.")
    if any(rule.WhichOneof("kind") == "pin" for rule in config.rules):
        found.append("Pinned places are not left to chance.")
    return found


def _exploration_sentences(exploration: pb.Exploration) -> list[str]:
    found = []
    policy = exploration.WhichOneof("policy")
    if policy is not None and not (policy == "epsilon" and exploration.epsilon == 0):
        found.append(POLICY_WORDS[policy](exploration))
    if exploration.new_item_share:
        below = exploration.new_item_events or NEW_ITEM_EVENTS
        found.append(
            f"Each place goes with a probability of {percent(exploration.new_item_share)} to an"
            f" item with fewer than {counted(below, 'event')}."
        )
    return found
