"""Each business rule as a sentence."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harken.feedback.v1 import surface_pb2 as pb
from services.feedback.surfaces.description.words import counted, number, percent, quoted

_NUMBER = "number."
_ATTRIBUTES = MappingProxyType({"owner": "owner", "category": "category", "tag": "tag"})


def _boost(rule: pb.Rule) -> str:
    verb = "come sooner" if rule.boost.factor >= 1 else "come later"
    return (
        f"items for which {quoted(rule.boost.items)} is true {verb}: their odds are multiplied by"
        f" {number(rule.boost.factor)}"
    )


def _pin(rule: pb.Rule) -> str:
    if rule.pin.WhichOneof("what") == "item_id":
        return f"item {quoted(rule.pin.item_id)} stands at place {rule.pin.slot}"
    return (
        f"the best item for which {quoted(rule.pin.items)} is true stands at place {rule.pin.slot}"
    )


def _at_least(rule: pb.Rule) -> str:
    count = counted(rule.at_least.count, "item")
    return f"at least {count} for which {quoted(rule.at_least.items)} is true in each slate"


def _at_most(rule: pb.Rule) -> str:
    count = counted(rule.at_most.count, "item")
    return f"at most {count} for which {quoted(rule.at_most.items)} is true in each slate"


def _share(rule: pb.Rule) -> str:
    return (
        f"at least {percent(rule.share.share)} of the places for items for which"
        f" {quoted(rule.share.items)} is true"
    )


def _cap(rule: pb.Rule) -> str:
    cap = rule.cap
    attribute = cap.attribute
    of = (
        f"number {quoted(attribute.removeprefix(_NUMBER))}"
        if attribute.startswith(_NUMBER)
        else _ATTRIBUTES[attribute]
    )
    within = "each slate"
    if cap.last_slates:
        within = (
            f"a slate and the person's last {counted(cap.last_slates, 'slate')} of this surface"
        )
    return f"at most {counted(cap.most, 'item')} of the same {of} in {within}"


def _sort(rule: pb.Rule) -> str:
    first = "smallest" if rule.sort.ascending else "largest"
    return f"the chosen items are shown by {quoted(rule.sort.by)}, {first} first"


RULE_WORDS: Mapping[str, Callable[[pb.Rule], str]] = MappingProxyType(
    {
        "boost": _boost,
        "pin": _pin,
        "at_least": _at_least,
        "at_most": _at_most,
        "share": _share,
        "cap": _cap,
        "sort": _sort,
    }
)
"""What a rule does, by its kind."""


def rule_sentence(rule: pb.Rule) -> str:
    """Return what a rule does, and when.

    Raises:
        KeyError: it is of a kind that has no words, as no rule that was put is.

    """
    what = RULE_WORDS[rule.WhichOneof("kind") or ""](rule)
    when = f", where {quoted(rule.when)} is true of the request" if rule.when else ""
    return f"Rule {quoted(rule.name)}: {what}{when}."
