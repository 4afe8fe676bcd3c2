"""Configuration of the profile service, read once from the environment (HARKEN_PROFILE_*)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.service_settings import (
    RELOADS,
    InFlight,
    ListenAddress,
    MetricsAddress,
    PostgresDsn,
    Target,
)
from services.common.vault.vault_settings import VaultSettings


class ProfileConfig(VaultSettings):
    """All settings. A wrong value fails at start, naming its key."""

    model_config = SettingsConfigDict(env_prefix="HARKEN_PROFILE_")

    listen: ListenAddress = "127.0.0.1:7402"
    metrics_listen: MetricsAddress = "127.0.0.1:9402"
    max_in_flight: InFlight = 256

    dsn: PostgresDsn = Field(
        description="PostgreSQL, for example postgresql://harken_profile@db/harken"
    )
    feedback_target: Target = Field(
        default="127.0.0.1:7401", description="gRPC target of the feedback service"
    )
    pool_size: int = Field(default=8, ge=1, description="PostgreSQL connections for RPCs")
    gather_seconds: float = Field(
        default=0.5,
        ge=0,
        le=5,
        description="time that entries of the log gather before they are written together; who"
        " waits for a position ends it",
    )
    learned_gather_seconds: float = Field(
        default=2,
        ge=0,
        le=5,
        description="time that learned vectors of users gather before they are written together",
    )
    ready_max_lag_entries: Annotated[int, RELOADS] = Field(
        default=1000,
        ge=0,
        description="entries behind the log with which we first call ourselves ready",
    )
    ledger_file: Path | None = Field(
        default=None,
        description="ledger_file of feedback, read at start, so that a restore of an older backup"
        " of this database shows nobody who was erased",
    )
    interest_short_days: float = Field(
        default=2, gt=0, le=3650, description="half-life of short-term interests, in days"
    )
    interest_long_days: float = Field(
        default=60, gt=0, le=3650, description="half-life of long-term interests, in days"
    )
