"""Settings that every service has, and the types that settings are made of.

Read at start from the command line, the environment (HARKEN_<SERVICE>_<FIELD>) and a file, in this
order (see `settings_source`). Values of the environment that are not text or a number are JSON. A
wrong value fails at start, naming its key (see `service_main`). Settings marked RELOADS follow
changes of the file while the process runs (see `settings_reload`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.call_limits import CallLimits


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    # isdigit alone also takes digits of other scripts.
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError('must be "host:port", port 0 for any')
    return value


def _postgres(value: str) -> str:
    # The value is in no message: it may hold a password.
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError("must begin with postgresql://")
    return value


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


@dataclass(frozen=True, slots=True)
class Mark:
    """What is special about a setting, in Annotated."""

    name: str


RELOADS = Mark("reloads")
"""A change in the settings file takes effect while the process runs."""
HOLDS_PASSWORD = Mark("holds password")
"""A URL whose password is shown nowhere."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a value looks, for readers of the reference, in Annotated."""

    text: str


Address = Annotated[str, AfterValidator(_host_and_port), Form("host:port")]
"""Where to listen, as "host:port"; port 0 for any."""
PostgresDsn = Annotated[str, AfterValidator(_postgres), Form("PostgreSQL URL"), HOLDS_PASSWORD]
"""A PostgreSQL URL."""
Target = Annotated[str, Field(min_length=1), Form("gRPC target")]
"""What gRPC dials: "host:port", or a name such as "dns:///feedback:7401"."""
FromJson = BeforeValidator(_from_json)
"""With `NoDecode`, in Annotated: the environment holds the value as JSON."""

ListenAddress = Annotated[Address, Field(description="gRPC address; port 0 for any")]
MetricsAddress = Annotated[Address, Field(description="Prometheus address; port 0 for any")]
InFlight = Annotated[int, Field(ge=1, description="unary RPCs at once; more are shed"), RELOADS]


class ServiceSettings(BaseSettings):
    """Base of the settings of a service, which gives the prefix and the defaults of its own."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    listen: ListenAddress
    metrics_listen: MetricsAddress
    address_file: Path | None = Field(
        default=None, description="receives the bound addresses as JSON"
    )
    config_file: Path | None = Field(
        default=None,
        description="settings file, .toml or .json: names in lower case without the prefix",
    )
    log_level: Annotated[str, RELOADS] = Field(
        default="info",
        pattern="(?i)^(debug|info|warning|error)$",
        description="least level that is logged: debug, info, warning, error",
    )
    max_in_flight: InFlight
    max_queue_seconds: Annotated[float, RELOADS] = Field(
        default=2,
        gt=0,
        description="unary calls of a burst that would wait longer than this for their turn are"
        " shed",
    )
    standing_queue_seconds: Annotated[float, RELOADS] = Field(
        default=0.1,
        gt=0,
        description="the same once more than 50 calls have been waiting, for half a second"
        " without a pause",
    )
    max_waiters: Annotated[int, RELOADS] = Field(
        default=256,
        ge=1,
        description="calls that wait for a position, half of them of one tenant or address; they"
        " are not in max_in_flight, and more are shed",
    )
    max_streams: Annotated[int, RELOADS] = Field(
        default=100, ge=1, description="streams open at once of each RPC; more are shed"
    )
    max_peer_streams: Annotated[int, RELOADS] = Field(
        default=50, ge=1, description="the same from one address, which an edge is too"
    )
    max_connection_age_seconds: float = Field(
        default=60,
        ge=1,
        description="clients are asked to connect anew after about this time, and look the name up"
        " again, so that new replicas get traffic; calls and streams that are open go on",
    )
    trace_target: str = Field(
        default="",
        pattern=r"^($|https?://.+|file:.+)",
        description="where traces of events go: an OTLP gRPC endpoint such as"
        " http://collector:4317, or file:/path; empty: nowhere. Needs the extra otel",
    )
    trace_share: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="share of the events that are traced; give all services the same",
    )

    def call_limits(self) -> CallLimits:
        """Return beyond what calls are shed."""
        return CallLimits(
            in_flight=self.max_in_flight,
            queue_seconds=self.max_queue_seconds,
            standing_seconds=self.standing_queue_seconds,
            waiters=self.max_waiters,
            streams=self.max_streams,
            peer_streams=self.max_peer_streams,
        )

    @classmethod
    def prefix(cls) -> str:
        """Return what the names of environment variables begin with, such as HARKEN_RANKER_."""
        return cls.model_config.get("env_prefix", "")

    @classmethod
    def key_of(cls, name: str) -> str:
        """Return the environment variable of a setting."""
        return f"{cls.prefix()}{name.upper()}"

    @classmethod
    def marked(cls, mark: Mark) -> frozenset[str]:
        """Return the names of the settings that bear a mark."""
        fields = cls.model_fields.items()
        return frozenset(name for name, field in fields if mark in field.metadata)
