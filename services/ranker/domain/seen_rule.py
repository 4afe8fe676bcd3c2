"""Which events hide an item, and for how long: rules by surface, presets, and how they are written.

A rule is written as a mapping of event types to "forever", "never" or a duration such as "30d"
(s, m, h, d, w); ANY stands for all types that are not named. What is not named hides nothing,
but events of negative weight do for ever: they say that the item is not wanted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from services.common.seen_period import ANY_TYPE, FOREVER_US, NEVER_US, seen_period_us

ANY = ANY_TYPE
"""All types that a rule does not name; all surfaces that the rules do not."""

WrittenRule = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SeenRule:
    """How long after an event its item is hidden, in microseconds, by the type of the event."""

    by_type: Mapping[str, int]
    others_us: int = NEVER_US
    is_all_forever: bool = field(init=False, repr=False, compare=False)
    """Whether any event hides its item for ever."""

    def __post_init__(self) -> None:
        """Find out once what every slate asks for."""
        all_forever = all(one == FOREVER_US for one in (self.others_us, *self.by_type.values()))
        object.__setattr__(self, "is_all_forever", all_forever)

    def hides_us(self, event_type: str, negative: bool) -> int:
        """Return for how long an event hides: FOREVER_US, NEVER_US or something between.

        A type that is not known ("") may have been any, so it hides for ever.
        """
        if not event_type:
            return FOREVER_US
        return self.by_type.get(event_type, FOREVER_US if negative else self.others_us)


ALL_FOREVER = SeenRule(MappingProxyType({}), FOREVER_US)
"""Any event hides its item for ever."""


@dataclass(frozen=True, slots=True)
class SeenRules:
    """Rules by surface, and the one of surfaces without their own."""

    surfaces: Mapping[str, SeenRule]
    default: SeenRule

    def of(self, surface: str) -> SeenRule:
        """Return the rule of a surface; empty: of none."""
        return self.surfaces.get(surface, self.default)


def read_rule(written: WrittenRule) -> SeenRule:
    """Return a rule as written.

    Raises:
        ValueError: a duration is none; the message says whose.

    """
    by_type = {}
    for event_type, text in written.items():
        try:
            by_type[event_type] = seen_period_us(text)
        except ValueError as error:
            raise ValueError(f"{event_type!r} {error}") from None
    others = by_type.pop(ANY, NEVER_US)
    return SeenRule(MappingProxyType(by_type), others)


def read_rules(written: Mapping[str, WrittenRule], preset: str) -> SeenRules:
    """Return rules as written; what they say of ANY goes before the preset's rule.

    Raises:
        ValueError: a duration is none, or there is no such preset; the message says which.

    """
    surfaces = {}
    for surface, rule in written.items():
        try:
            surfaces[surface] = read_rule(rule)
        except ValueError as error:
            raise ValueError(f"surface {surface!r}: {error}") from None
    default = surfaces.pop(ANY, None) or read_rule(preset_rule(preset))
    return SeenRules(MappingProxyType(surfaces), default)


def preset_rule(name: str) -> WrittenRule:
    """Return the rule of a preset, by the name that its event types have in feedback.

    Raises:
        ValueError: there is no such preset.

    """
    match name:
        case "shopping":
            # Looking, choosing and comparing lead to buying, so they hide nothing. Who bought, or
            # says how it was, has it; many things are bought again after a while.
            return {"purchase": "30d", "review": "30d", "rating": "30d"}
        case "finance":
            # As in shopping; contracts are for longer, and who applied waits for an answer.
            return {"buy": "30d", "apply": "90d", "subscribe": "365d"}
        case "media" | "social_feed" | "education":
            # What is wanted is what one does not know yet.
            return {ANY: "forever"}
        case _:
            raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")


PRESETS = ("shopping", "media", "social_feed", "education", "finance")
"""Names of the presets."""
