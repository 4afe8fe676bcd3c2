"""Configuration of the feedback service, read once from the environment (HARKEN_FEEDBACK_*)."""

from enum import StrEnum
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
    PostgresDsn,
)
from services.common.vault.vault_settings import VaultSettings
from services.feedback.events.domain.event_types import PRESETS, EventType, preset
from services.feedback.learner.model.progressive_validation import ComparisonConfig


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    INGEST = "ingest"
    LEARNER = "learner"


def _known_preset(name: str) -> str:
    preset(name)
    return name


class FeedbackConfig(VaultSettings):
    """All settings. A wrong value fails at start, naming its key."""

    model_config = SettingsConfigDict(env_prefix="HARKEN_FEEDBACK_")

    listen: ListenAddress = "127.0.0.1:7401"
    metrics_listen: MetricsAddress = "127.0.0.1:9401"
    max_in_flight: InFlight = 1024

    dsn: PostgresDsn = Field(
        description="PostgreSQL, for example postgresql://harken_feedback@db/harken"
    )
    role: Role = Field(Role.ALL, description="what this process does")
    pool_size: int = Field(6, ge=2, description="PostgreSQL connections for reads")

    preset: Annotated[str, AfterValidator(_known_preset)] = Field(
        "shopping", description=f"event types: one of {', '.join(PRESETS)}"
    )
    event_types: Annotated[dict[str, EventType], NoDecode, FromJson, RELOADS] = Field(
        default_factory=dict,
        description="event types by name, as JSON, added to or replacing the preset's",
    )
    max_future_seconds: Annotated[float, RELOADS] = Field(
        300, ge=0, description="clock skew of event times allowed"
    )
    max_age_seconds: Annotated[float, RELOADS] = Field(
        7 * 86400, gt=0, description="oldest event for RecordEvents"
    )
    max_tenants: Annotated[int, RELOADS] = Field(1000, ge=1, description="tenants there can be")

    flush_events: int = Field(2000, ge=1, le=10000, description="events in one insert, at most")
    queue_events: Annotated[int, RELOADS] = Field(
        50_000, ge=5000, description="events waiting; beyond, calls are shed"
    )

    dimension: int = Field(128, ge=8, le=1024, description="of bootstrap generations")
    step_events: int = Field(1000, ge=1, le=10000, description="entries in one step, at most")
    step_seconds: float = Field(
        0.1,
        ge=0,
        le=1,
        description="least time from one step to the next, but for full ones: the more, the less"
        " is written an event, and the later it is learned from; what users did does not wait",
    )
    lease_seconds: float = Field(1.0, ge=0.2, description="silence before a standby takes over")
    tick_seconds: float = Field(10.0, ge=0.1, description="idle time after which a tick is logged")
    checkpoint_versions: int = Field(
        2000,
        ge=1,
        description="versions between checkpoints; up to five times as many while one of over"
        " a MiB is more than an eighth of the frames since the last",
    )
    checkpoint_seconds: float = Field(60.0, gt=0, description="least time between checkpoints")
    keep_versions: int = Field(
        10_000, ge=0, description="versions kept for subscribers that come back"
    )
    ledger_file: Path | None = Field(
        default=None,
        description="file outside of the database that erasures are written to first, and read from"
        " at start, so that a restore of an older backup does not undo them; several processes may"
        " share it",
    )
    scrub_seconds: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="least time between two scrubbings of erased users, each of which takes a"
        " checkpoint and drops the frames before it",
    )
    slate_days: int = Field(
        90,
        ge=0,
        le=120,
        description="days that logged slates are kept; they go in lots of 30 days. 0: for ever",
    )

    kept_generations: int = Field(
        10, ge=1, description="newest generations kept; those in use are kept besides"
    )
    standby_seconds: float = Field(
        3600.0, gt=0, description="how long a generation can be rolled back to at once"
    )
    validation_min_events: int = Field(
        500, ge=1, description="events compared before a staged generation is judged"
    )
    validation_max_events: int = Field(
        100_000, ge=1, description="events after which an undecided one is retired"
    )
    guard_bound: float = Field(
        0.005, ge=0, le=1, description="how much worse than the reference vectors may rank"
    )

    def comparison(self) -> ComparisonConfig:
        """Return how generations and vectors are compared on live events."""
        return ComparisonConfig(
            min_events=self.validation_min_events,
            max_events=self.validation_max_events,
            guard_bound=self.guard_bound,
            standby_seconds=self.standby_seconds,
        )

    settle_seconds: float = Field(
        10.0, gt=0, le=600, description="after a slate was logged, it trains the head"
    )
    attribution_seconds: float = Field(
        1800.0, ge=600, le=86_400, description="after a slate was logged, events still count for it"
    )
    pending_slates: int = Field(
        20_000, ge=1, description="slates within the attribution window, held per tenant"
    )
    awaited_slates: int = Field(
        20_000,
        ge=1,
        description="slates that wait for whether their user comes back, held per tenant",
    )
    user_daily_events: int = Field(
        1000, ge=1, description="events of one user and day that may move what users share"
    )
    item_allowance: bool = Field(
        True,
        description="hold from what users share what would lift one item beyond what those support"
        " who also do other things; alike on all learners",
    )
    max_bias: Annotated[float, RELOADS] = Field(
        0.5, ge=0, le=10, description="largest absolute bias that PutEmbeddings takes"
    )
    shown_eta: float = Field(
        0.01, ge=0, le=0.1, description="largest move of an item by a slate it was passed over in"
    )

    def types(self) -> dict[str, EventType]:
        """Return the event types in force."""
        return {**preset(self.preset), **self.event_types}
