"""What is configured for a surface, with its expressions parsed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from services.common.arrays import Float64s, Ordinals
from services.common.expressions.expression import Expression
from services.ranker.domain.outcome_blend import NO_OVERRIDES
from services.ranker.domain.seen_rule import SeenRule
from services.ranker.domain.selection.plan import NO_EXPLORATION, Diversity, Exploration


class Attribute(Enum):
    """What caps count by."""

    OWNER = "owner"
    CATEGORY = "category"
    TAG = "tag"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Source:
    """quota: None: as the source has it. limit_seconds: None: none."""

    quota: int | None = None
    weight: float = 1.0
    limit_seconds: float | None = None


class Weighed(NamedTuple):
    """What slates are weighed by: see SourceWeights."""

    quotas: Ordinals
    weights: Float64s


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is on when its condition holds; None: always."""

    name: str
    when: Expression | None


@dataclass(frozen=True, slots=True)
class Boost(Rule):
    """See surface.proto."""

    items: Expression
    factor: float


@dataclass(frozen=True, slots=True)
class Pin(Rule):
    """Of `item_id`, or else of `items`; `place` from 0."""

    item_id: str
    items: Expression | None
    place: int


@dataclass(frozen=True, slots=True)
class AtLeast(Rule):
    """A count, or a share of the places."""

    items: Expression
    count: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class AtMost(Rule):
    """See surface.proto."""

    items: Expression
    count: int


@dataclass(frozen=True, slots=True)
class Cap(Rule):
    """`key`: of numbers."""

    attribute: Attribute
    key: str
    most: int
    last_slates: int


@dataclass(frozen=True, slots=True)
class Sort(Rule):
    """See surface.proto."""

    by: Expression
    ascending: bool


@dataclass(frozen=True, slots=True)
class Surface:
    """All of it; `revision` 0: nothing is configured."""

    revision: int = 0
    outcome_weights: Mapping[str, float] = field(default_factory=lambda: NO_OVERRIDES)
    gates: tuple[Expression, ...] = ()
    seen: SeenRule | None = None
    not_in_last_slates: int = 0
    sources: Mapping[str, Source] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    diversity: Diversity | None = None
    exploration: Exploration = NO_EXPLORATION
    new_item_events: int = 20
    weighed: dict[tuple[str, ...], Weighed] = field(default_factory=dict, compare=False)
    """Made of `sources` when a slate first needs it, by what other sources proposed."""

    @property
    def remembers(self) -> int:
        """How many of a user's last slates it asks for."""
        caps = [rule.last_slates for rule in self.rules if isinstance(rule, Cap)]
        return max(self.not_in_last_slates, *caps, 0)


NOT_CONFIGURED = Surface()
