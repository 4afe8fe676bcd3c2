"""Access of a process with a certificate: its gate, its ports, its credentials."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import grpc

from services.common.access.api_keys import ApiKey, KeyRing, read_keys
from services.common.access.call_rate import CallRate
from services.common.access.certificates import Pem, read_pem, server_credentials
from services.common.access.gate import Gate
from services.common.access.principal import principal_of_text
from services.common.access.tokens import TokenReader, Trust, read_jwks
from services.common.access.watched_files import WatchedFiles
from services.common.channel_identity import ChannelIdentity
from services.common.reloadable import Reloadable
from services.common.service_settings import ServiceSettings

Settings = TypeVar("Settings", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class ProcessAccess:
    """What a process has whose settings name a certificate."""

    pem: Reloadable[Pem]
    gate: Gate
    ports: Mapping[str, str]
    """Addresses beside the one with certificates: "tokens" and "health", where wanted."""
    keys: Reloadable[Sequence[ApiKey]] | None
    """What its file of keys holds, where it has one."""

    def server_credentials(self, with_client: bool) -> grpc.ServerCredentials:
        """Return credentials of our server, for callers with certificates or without."""
        return server_credentials(self.pem, with_client)


def identity_of(access: ProcessAccess | None) -> ChannelIdentity | None:
    """Return what a process shows when it calls others; None where it calls without TLS."""
    return None if access is None else ChannelIdentity(access.pem)


@contextlib.asynccontextmanager
async def process_access(
    settings: Reloadable[Settings],
) -> AsyncIterator[ProcessAccess | None]:
    """Lend the access of a process, and follow its files; None without a certificate.

    Raises:
        RuntimeError: a file is away or wrong.

    """
    config = settings.value
    if not (config.tls_certificate_file and config.tls_key_file and config.tls_ca_file):
        yield None
        return
    pem = WatchedFiles(
        (config.tls_ca_file, config.tls_certificate_file, config.tls_key_file), read_pem
    )
    watched: list[WatchedFiles] = [pem]
    keys = Reloadable(KeyRing([]))
    known: Reloadable[Sequence[ApiKey]] | None = None
    if config.keys_file is not None:
        key_file = WatchedFiles[Sequence[ApiKey]]((config.keys_file,), read_keys)
        watched.append(key_file)
        known, keys = key_file.live, key_file.live.map(KeyRing)
    tokens: Reloadable[TokenReader | None] = Reloadable(None)
    if config.jwks_file is not None:
        trust = Trust(config.jwt_issuer, config.jwt_audience)
        jwks = WatchedFiles((config.jwks_file,), read_jwks)
        watched.append(jwks)
        tokens = jwks.live.map(lambda found: TokenReader(found, trust))
    names = {san: principal_of_text(text, san) for san, text in config.san_principals.items()}
    rate = CallRate(settings.map(lambda config: config.caller_calls_per_second))
    user_rate = CallRate(settings.map(lambda config: config.user_calls_per_second))
    gate = Gate(names, keys, tokens, rate, user_rate)
    ports = {
        name: address
        for name, address in (("tokens", config.token_listen), ("health", config.health_listen))
        if address is not None
    }
    looking = [asyncio.create_task(one.run()) for one in watched]
    try:
        yield ProcessAccess(pem.live, gate, MappingProxyType(ports), known)
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
