"""Configuration of the profile service, read once from the environment (HARKEN_PROFILE_*)."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError('must be "host:port", port 0 for any')
    return value


Address = Annotated[str, AfterValidator(_host_and_port)]


class ProfileConfig(BaseSettings):
    """All settings. A wrong value fails at start, naming its key."""

    model_config = SettingsConfigDict(env_prefix="HARKEN_PROFILE_", frozen=True, extra="ignore")

    dsn: str = Field(
        pattern="^postgres(ql)?://",
        description="PostgreSQL, for example postgresql://harken_profile@db/harken",
    )
    listen: Address = Field(default="127.0.0.1:7402", description="gRPC address; port 0 for any")
    metrics_listen: Address = Field(default="127.0.0.1:9402", description="Prometheus address")
    address_file: Path | None = Field(
        default=None, description="receives the bound addresses as JSON"
    )
    feedback_target: str = Field(
        default="127.0.0.1:7401", min_length=1, description="gRPC target of the feedback service"
    )
    log_level: str = Field(default="info", pattern="(?i)^(debug|info|warning|error)$")
    max_in_flight: int = Field(default=256, ge=1, description="unary RPCs at once; more are shed")
    pool_size: int = Field(default=8, ge=1, description="PostgreSQL connections for RPCs")
    ready_max_lag: int = Field(
        default=16,
        ge=0,
        description="versions behind the feed with which we first call ourselves ready",
    )
