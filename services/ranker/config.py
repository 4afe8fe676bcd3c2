"""Configuration of the ranker, read once from the environment (HARKEN_RANKER_*)."""

import math
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from services.common.service_settings import (
    RELOADS,
    FromJson,
    InFlight,
    ListenAddress,
    MetricsAddress,
    ServiceSettings,
    Target,
)
from services.ranker.domain.seen_rule import ANY, PRESETS, SeenRules, preset_rule, read_rules

SURFACE = re.compile(r"[a-z0-9_-]{1,64}")
"""What names of surfaces look like."""


def _finite_weights(surfaces: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for surface, weights in surfaces.items():
        for outcome, weight in weights.items():
            if not math.isfinite(weight):
                raise ValueError(f"weight of {outcome!r} for {surface!r} is not finite")
    return surfaces


def _known_preset(name: str) -> str:
    preset_rule(name)
    return name


def _written_rules(rules: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    for surface in rules:
        if surface != ANY and not SURFACE.fullmatch(surface):
            raise ValueError(f"surface {surface!r} must be {ANY} or at most 64 of [a-z0-9_-]")
    read_rules(rules, PRESETS[0])
    return rules


class RankerConfig(ServiceSettings):
    """All settings. A wrong value fails at start, naming its key."""

    model_config = SettingsConfigDict(env_prefix="HARKEN_RANKER_")

    listen: ListenAddress = "127.0.0.1:7403"
    metrics_listen: MetricsAddress = "127.0.0.1:9403"
    max_in_flight: InFlight = 512

    feedback_target: Target = Field(default="127.0.0.1:7401", description="gRPC target of feedback")
    profile_target: Target = Field(default="127.0.0.1:7402", description="gRPC target of profile")
    replica: str = Field(
        default="0", min_length=1, max_length=64, description="name among the replicas"
    )
    max_cached_users: int = Field(default=200_000, ge=1, description="user states held per tenant")
    max_ready_lag: Annotated[int, RELOADS] = Field(
        default=200, ge=0, description="versions behind and still ready"
    )
    max_ready_entries_lag: Annotated[int, RELOADS] = Field(
        default=20_000, ge=0, description="entries of the log behind and still ready"
    )
    max_silence_seconds: Annotated[float, RELOADS] = Field(
        default=30,
        gt=0,
        description="without a sign of a lane of the feed for longer, no longer ready",
    )
    profile_seconds: float = Field(default=1.0, gt=0, le=10, description="longest call of profile")
    profile_ready_seconds: float = Field(
        default=30,
        ge=0,
        description="how long, after the start, readiness waits for a first answer of profile",
    )
    min_profile_wait_seconds: Annotated[float, RELOADS] = Field(
        default=0.1,
        ge=0,
        description="how long a slate waits for profile even when its budget is smaller",
    )
    generation_seconds: float = Field(
        default=60, gt=0, description="longest download of a generation"
    )
    surface_weights: Annotated[
        dict[str, dict[str, float]], NoDecode, FromJson, AfterValidator(_finite_weights), RELOADS
    ] = Field(
        default_factory=dict,
        description="weights of outcomes by surface, as JSON such as"
        ' {"home": {"purchase": 5, "hide": -10}}; what is not named has the generation\'s weight',
    )
    preset: Annotated[str, AfterValidator(_known_preset)] = Field(
        default="shopping",
        description=f"which events make an item seen: one of {', '.join(PRESETS)}, the one of"
        " feedback's event types",
    )
    surface_seen: Annotated[
        dict[str, dict[str, str]], NoDecode, FromJson, AfterValidator(_written_rules), RELOADS
    ] = Field(
        default_factory=dict,
        description="which types of events make an item seen, and for how long, by surface, as JSON"
        ' such as {"home": {"purchase": "30d", "hide": "forever"}}: forever, never or a number with'
        " s, m, h, d or w; the type * is all that are not named, the surface * too; what is not"
        " named does not, but events of negative weight do for ever; surfaces without a rule have"
        " the preset's",
    )
    vectors_folder: Path | None = Field(
        default=None,
        description="folder for temporary files of item vectors, so that of large catalogues only"
        " 8-bit codes of them stay in memory, about a quarter; unset: all stay in memory",
    )
    logged_share: Annotated[float, RELOADS] = Field(
        default=1.0, ge=0, le=1, description="share of the slates that are logged, by chance"
    )
    slate_queue: Annotated[int, RELOADS] = Field(
        default=5_000, ge=1, description="slates waiting to be logged; beyond, they are dropped"
    )

    def seen_rules(self) -> SeenRules:
        """Return which events make an item seen on which surface."""
        return read_rules(self.surface_seen, self.preset)
