"""Settings that every service has, and the types that settings are made of.

Read at start from the command line, the environment (HARKEN_<SERVICE>_<FIELD>) and a file, in this
order (see `settings_source`). Values of the environment that are not text or a number are JSON. A
wrong value fails at start, naming its key (see `service_main`). Settings marked RELOADS follow
changes of the file while the process runs (see `settings_reload`).
"""

import json
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.common.access.principal import principal_of_text
from services.common.call_limits import CallLimits
from services.common.consent import Purpose, purposes_of


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


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _with_certificate(value: Path | None, info: ValidationInfo) -> Path | None:
    given = [info.data.get(name) for name in ("tls_certificate_file", "tls_key_file")]
    if len({one is None for one in (*given, value)}) > 1:
        raise ValueError("certificate, key and authorities are given together or not at all")
    return value


def _needs_tls(value: Any, info: ValidationInfo) -> Any:
    if value is not None and info.data.get("tls_certificate_file") is None:
        raise ValueError("means nothing without TLS: give tls_certificate_file, too")
    return value


def _of_an_issuer(value: Path | None, info: ValidationInfo) -> Path | None:
    given = [bool(info.data.get(name)) for name in ("jwt_issuer", "jwt_audience")]
    if len({*given, value is not None}) > 1:
        raise ValueError("jwt_issuer, jwt_audience and jwks_file are given together or not at all")
    return _needs_tls(value, info)  # type: ignore[no-any-return]


def _principals(value: dict[str, str]) -> dict[str, str]:
    for san, text in value.items():
        try:
            principal_of_text(text, san)
        except ValueError as error:
            raise ValueError(f"{san}: {error}") from None
    return value


def _purposes(value: list[str]) -> list[str]:
    purposes_of(value)
    return value


def _exposed(value: bool, info: ValidationInfo) -> bool:
    """Hold what is reachable against what it takes. What is wrong in itself is said elsewhere."""
    listen, metrics = (info.data.get(name) for name in ("listen", "metrics_listen"))
    if value:
        return value
    if listen and not info.data.get("tls_certificate_file") and not _is_loopback(listen):
        raise ValueError(
            f"{listen} is reached from elsewhere: that takes tls_certificate_file, or insecure=true"
        )
    if metrics and not info.data.get("open_metrics") and not _is_loopback(metrics):
        raise ValueError(f"{metrics} shows metrics to everybody: that takes open_metrics=true")
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
    max_caller_streams: Annotated[int, RELOADS] = Field(
        default=50, ge=1, description="the same of one caller, where they are asked who they are"
    )
    max_connection_age_seconds: float = Field(
        default=60,
        ge=1,
        description="clients are asked to connect anew after about this time, and look the name up"
        " again, so that new replicas get traffic; calls and streams that are open go on",
    )
    denied_unless_granted: Annotated[list[str], NoDecode, FromJson, AfterValidator(_purposes)] = (
        Field(
            default_factory=list,
            description="purposes that a person has to grant, as JSON such as"
            ' ["personalisation", "learning", "exploration", "export"]; all others are granted'
            " until the person denies them (docs/consent.md); give all services the same",
        )
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

    tls_certificate_file: Path | None = Field(
        default=None,
        description="PEM file of our certificate and those between it and its authority, for our"
        " server and our calls of others. With it the server speaks TLS only, and only to who may"
        " (docs/access.md). This, the key and the authorities are read anew when they are replaced",
    )
    tls_key_file: Path | None = Field(default=None, description="PEM file of its private key")
    tls_ca_file: Annotated[Path | None, AfterValidator(_with_certificate)] = Field(
        default=None,
        validate_default=True,
        description="PEM file of the authorities that sign certificates of callers, and of servers"
        " that we call",
    )
    san_principals: Annotated[dict[str, str], NoDecode, FromJson, AfterValidator(_principals)] = (
        Field(
            default_factory=dict,
            description="who holders of certificates are whose SAN does not say it, as JSON such"
            ' as {"shop.example": "backend/default"}',
        )
    )
    token_listen: Annotated[Address | None, AfterValidator(_needs_tls), Form("host:port")] = Field(
        default=None,
        description="gRPC address with TLS for who has no certificate, but a key or a token; unset:"
        " there is none, and they can call through an edge that has a certificate",
    )
    health_listen: Annotated[Address | None, AfterValidator(_needs_tls), Form("host:port")] = Field(
        default=None,
        description="gRPC address without TLS that serves health and nothing else: probes of"
        " Kubernetes speak no TLS",
    )
    keys_file: Annotated[Path | None, AfterValidator(_needs_tls)] = Field(
        default=None, description="file of API keys that `harken keys` writes; read anew"
    )
    jwt_issuer: str = Field(default="", description="whose tokens (JWT) are taken; empty: none")
    jwt_audience: str = Field(default="", description="whom the tokens must be made for: us")
    jwks_file: Annotated[Path | None, AfterValidator(_of_an_issuer)] = Field(
        default=None,
        validate_default=True,
        description="file of the issuer's public keys, a JWK set; read anew",
    )
    receipt_key_file: Path | None = Field(
        default=None,
        description="PEM file of the Ed25519 key that receipts of erasures are signed with; without"
        " it they are not signed",
    )
    caller_calls_per_second: Annotated[float, RELOADS] = Field(
        default=0,
        ge=0,
        description="calls of one caller, by certificate, key or token, those of two seconds at"
        " once; more are shed; 0: as many as they like",
    )
    user_calls_per_second: Annotated[float, RELOADS] = Field(
        default=20,
        ge=0,
        description="the same for an end user, who has a token of their own",
    )
    pseudonym_key_file: Path | None = Field(
        default=None,
        description="file of the key that makes pseudonyms of ids of users and sessions, for what"
        " is stored; `harken vault init` makes it. The same for all processes, and with vault_dsn"
        " and vault_key_file where there are these (docs/privacy.md); unset: ids are stored",
    )
    open_metrics: bool = Field(
        default=False,
        description="whether metrics_listen may be reached from elsewhere: metrics name tenants,"
        " and nobody is asked who they are",
    )
    insecure: Annotated[bool, AfterValidator(_exposed)] = Field(
        default=False,
        validate_default=True,
        description="whether others may reach us without TLS: anybody who does may do everything",
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
            caller_streams=self.max_caller_streams,
        )

    def denied_by_default(self) -> Purpose:
        """Return the purposes that are denied where a person decided nothing."""
        return purposes_of(self.denied_unless_granted)

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
