"""Settings that every service has, and the types that settings are made of.

Read once, from the environment: HARKEN_<SERVICE>_<FIELD>. Values that are not text or a number are
JSON. A wrong value fails at start, naming its key (see `service_main`).
"""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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


Address = Annotated[str, AfterValidator(_host_and_port)]
"""Where to listen, as "host:port"; port 0 for any."""
PostgresDsn = Annotated[str, AfterValidator(_postgres)]
"""A PostgreSQL URL."""
Target = Annotated[str, Field(min_length=1)]
"""What gRPC dials: "host:port", or a name such as "dns:///feedback:7401"."""
FromJson = BeforeValidator(_from_json)
"""With `NoDecode`, in Annotated: the environment holds the value as JSON."""

ListenAddress = Annotated[Address, Field(description="gRPC address; port 0 for any")]
MetricsAddress = Annotated[Address, Field(description="Prometheus address; port 0 for any")]
InFlight = Annotated[int, Field(ge=1, description="unary RPCs at once; more are shed")]


class ServiceSettings(BaseSettings):
    """Base of the settings of a service, which gives the prefix and the defaults of its own."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    listen: ListenAddress
    metrics_listen: MetricsAddress
    address_file: Path | None = Field(
        default=None, description="receives the bound addresses as JSON"
    )
    log_level: str = Field(
        default="info",
        pattern="(?i)^(debug|info|warning|error)$",
        description="least level that is logged: debug, info, warning, error",
    )
    max_in_flight: InFlight
