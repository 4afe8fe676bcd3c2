"""The certificate of a process, for its servers and its channels."""

import re
import ssl
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from services.common.reloadable import Reloadable

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Pem:
    """A chain, its key, and the authorities that sign those we talk to. All PEM.

    Without a chain and key it only says whom to trust: what who shows a key of ours has.
    """

    authorities: bytes
    chain: bytes = b""
    key: bytes = b""


def read_pem(contents: Sequence[bytes]) -> Pem:
    """Return what files hold: authorities, and where given a chain and its key.

    Raises:
        ValueError: they are no such thing, or do not belong together.

    """
    authorities, *own = contents
    if not _CERTIFICATE.search(authorities):
        raise ValueError("holds no certificate of an authority")
    try:
        context = ssl.create_default_context(cadata=authorities.decode("ascii"))
        if own:
            chain, key = own
            # It reads from files only, and looks whether the two belong together.
            with tempfile.TemporaryDirectory() as folder:
                both = Path(folder) / "both.pem"
                both.touch(mode=0o600)
                both.write_bytes(key + b"\n" + chain)
                context.load_cert_chain(both, password=_no_password)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        why = getattr(error, "reason", None) or "is no PEM"
        raise ValueError(f"certificate and key cannot be used: {why}") from None
    return Pem(authorities, *own)


def _no_password() -> str:
    raise ValueError("a key with a password cannot be used")


def server_credentials(pem: Reloadable[Pem], with_client: bool) -> grpc.ServerCredentials:
    """Return credentials that follow `pem`: connections made after a change have the new ones.

    `with_client`: only who shows a certificate of the authorities comes in at all. Otherwise none
    is asked for: gRPC for Python has nothing between the two.
    """
    given = pem.value

    def fetch() -> "grpc.ServerCertificateConfiguration | None":
        """Return what changed since, in a thread of gRPC, for every connection."""
        nonlocal given
        if pem.value is given:
            return None
        given = pem.value
        return _configuration(given, with_client)

    make: Callable[..., grpc.ServerCredentials] = grpc.dynamic_ssl_server_credentials
    return make(_configuration(given, with_client), fetch, with_client)


def _configuration(pem: Pem, with_client: bool) -> "grpc.ServerCertificateConfiguration":
    return grpc.ssl_server_certificate_configuration(
        [(pem.key, pem.chain)], pem.authorities if with_client else None
    )


def channel_credentials(pem: Pem) -> grpc.ChannelCredentials:
    """Return credentials for a channel, as of now."""
    return grpc.ssl_channel_credentials(pem.authorities, pem.key or None, pem.chain or None)
