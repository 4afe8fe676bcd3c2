"""Event types: what values they take and how strongly they teach."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator


class ValueRule(StrEnum):
    """Whether events of a type carry a value."""

    IGNORED = "ignored"
    OPTIONAL = "optional"
    REQUIRED = "required"


class EventType(BaseModel):
    """One type of event.

    The learning weight of an event is `weight` times the factor that `factors` gives for its
    value (piecewise linear between the points, constant outside); 1 without value or factors.
    A negative weight is an explicit negative: the item counts as seen and teaches nothing
    positive. Weight 0 only counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(ge=-10, le=10)
    value: ValueRule = ValueRule.OPTIONAL
    minimum: float = Field(default=-1e9, allow_inf_nan=False)
    maximum: float = Field(default=1e9, allow_inf_nan=False)
    factors: tuple[tuple[float, float], ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError("minimum is above maximum")
        values = [value for value, _ in self.factors]
        if values != sorted(set(values)):
            raise ValueError("factors must be in increasing order of value")
        return self

    def learning_weight(self, value: float | None) -> float:
        """Return the learning weight of an event with this value: as `learning_weights`, faster."""
        if value is None or not self.factors:
            return self.weight
        left_at, factor = self.factors[0]
        for at, right in self.factors:
            if value < at:
                if value > left_at:
                    slope = (right - factor) / (at - left_at)
                    factor += slope * (value - left_at)
                break
            left_at, factor = at, right
        if math.isfinite(value) and math.isfinite(factor):
            return self.weight * factor
        return float(self.learning_weights(np.array([value]))[0])

    def learning_weights(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the learning weights of events with these values."""
        if not self.factors:
            return np.full(len(values), self.weight)
        points, factors = zip(*self.factors, strict=True)
        weights: npt.NDArray[np.float64] = self.weight * np.interp(values, points, factors)
        return weights


EventTypes = Mapping[str, EventType]

PRESETS = ("shopping", "media", "social_feed", "education", "finance")
"""Names of the presets; "media" is music and video."""

# People rate what they chose to see: that it was rated says what they look for next, the value
# hardly does (measured on MovieLens: weights by value made the next slate worse).
_RATING = EventType(weight=1.0, value=ValueRule.REQUIRED, minimum=0.0, maximum=5.0)
_HIDE = EventType(weight=-1.0, value=ValueRule.IGNORED)
_WEEK_SECONDS = 7 * 86400.0


def preset(name: str) -> dict[str, EventType]:
    """Return the event types of a preset: one of PRESETS.

    Raises:
        ValueError: there is no such preset.

    """
    match name:
        case "shopping":
            return {
                "view": EventType(
                    weight=0.5,
                    factors=((0, 0.5), (10, 1), (60, 1.5)),
                    minimum=0.0,
                    maximum=_WEEK_SECONDS,
                ),
                "click": EventType(weight=0.5, value=ValueRule.IGNORED),
                "wishlist": EventType(weight=1.0, value=ValueRule.IGNORED),
                "add_to_cart": EventType(weight=1.5, minimum=0.0),
                "remove_from_cart": EventType(weight=0.0, minimum=0.0),
                "purchase": EventType(weight=2.0, minimum=0.0),
                "review": _RATING,
                "rating": _RATING,
                "hide": _HIDE,
            }
        case "media":
            return {
                "view": EventType(weight=0.5, value=ValueRule.IGNORED),
                "click": EventType(weight=0.5, value=ValueRule.IGNORED),
                "play": EventType(
                    weight=1.0,
                    factors=((0, 0.1), (30, 0.8), (180, 1)),
                    minimum=0.0,
                    maximum=_WEEK_SECONDS,
                ),
                "complete": EventType(weight=1.5, value=ValueRule.IGNORED),
                "like": EventType(weight=1.5, value=ValueRule.IGNORED),
                "save": EventType(weight=1.5, value=ValueRule.IGNORED),
                "share": EventType(weight=1.5, value=ValueRule.IGNORED),
                "rating": _RATING,
                "skip": EventType(weight=-0.3, minimum=0.0, maximum=_WEEK_SECONDS),
                "dislike": EventType(weight=-1.0, value=ValueRule.IGNORED),
                "hide": _HIDE,
            }
        case "social_feed":
            return {
                # Seconds that a post was on the screen: passing by says little, staying much.
                "view": EventType(
                    weight=1.0,
                    factors=((0, 0.0), (2, 0.1), (10, 0.6), (60, 1)),
                    minimum=0.0,
                    maximum=_WEEK_SECONDS,
                ),
                "click": EventType(weight=0.5, value=ValueRule.IGNORED),
                "like": EventType(weight=1.0, value=ValueRule.IGNORED),
                "comment": EventType(weight=1.5, value=ValueRule.IGNORED),
                "share": EventType(weight=2.0, value=ValueRule.IGNORED),
                "save": EventType(weight=1.5, value=ValueRule.IGNORED),
                "follow": EventType(weight=2.0, value=ValueRule.IGNORED),
                "unlike": EventType(weight=0.0, value=ValueRule.IGNORED),
                "unfollow": EventType(weight=-1.0, value=ValueRule.IGNORED),
                "not_interested": EventType(weight=-1.0, value=ValueRule.IGNORED),
                "hide": _HIDE,
                "mute": EventType(weight=-1.5, value=ValueRule.IGNORED),
                "report": EventType(weight=-2.0, value=ValueRule.IGNORED),
            }
        case "education":
            return {
                "view": EventType(weight=0.3, value=ValueRule.IGNORED),
                "click": EventType(weight=0.3, value=ValueRule.IGNORED),
                "enroll": EventType(weight=1.5, value=ValueRule.IGNORED),
                # Seconds spent on a lesson.
                "study": EventType(
                    weight=1.0,
                    factors=((0, 0.1), (60, 0.5), (600, 1)),
                    minimum=0.0,
                    maximum=_WEEK_SECONDS,
                ),
                # Share of right answers: a failed exercise teaches as well what comes next.
                "exercise": EventType(
                    weight=1.0, factors=((0, 0.5), (1, 1)), minimum=0.0, maximum=1.0
                ),
                "complete": EventType(weight=2.0, value=ValueRule.IGNORED),
                "bookmark": EventType(weight=1.0, value=ValueRule.IGNORED),
                "rating": _RATING,
                "drop": EventType(weight=-0.5, value=ValueRule.IGNORED),
                "too_easy": EventType(weight=-0.5, value=ValueRule.IGNORED),
                "too_hard": EventType(weight=-0.5, value=ValueRule.IGNORED),
                "hide": _HIDE,
            }
        case "finance":
            return {
                # Seconds on the page of an instrument or product.
                "view": EventType(
                    weight=0.5,
                    factors=((0, 0.5), (15, 1), (120, 1.5)),
                    minimum=0.0,
                    maximum=_WEEK_SECONDS,
                ),
                "click": EventType(weight=0.5, value=ValueRule.IGNORED),
                "watchlist": EventType(weight=1.5, value=ValueRule.IGNORED),
                "compare": EventType(weight=0.7, value=ValueRule.IGNORED),
                "calculate": EventType(weight=1.0, value=ValueRule.IGNORED),
                "apply": EventType(weight=2.0, value=ValueRule.IGNORED),
                # Amounts say how much money somebody has, not how much they want it.
                "buy": EventType(weight=2.0, minimum=0.0),
                "subscribe": EventType(weight=2.0, value=ValueRule.IGNORED),
                # Having sold says that it was known, not that it is disliked.
                "sell": EventType(weight=0.0, minimum=0.0),
                "unwatch": EventType(weight=-0.3, value=ValueRule.IGNORED),
                "decline": EventType(weight=-1.0, value=ValueRule.IGNORED),
                "hide": _HIDE,
            }
        case _:
            raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
