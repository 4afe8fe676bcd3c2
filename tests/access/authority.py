"""Certificates made here: authorities, and what they sign."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.common.access.certificates import Pem
from services.common.channel_identity import ChannelIdentity
from services.common.reloadable import Reloadable

LOCALHOST = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


@dataclass(frozen=True)
class Leaf:
    """A certificate with its key, PEM."""

    chain: bytes
    key: bytes

    def write(self, folder: Path) -> None:
        """Replace tls.crt and tls.key, each in one step, as a renewed Secret does."""
        for name, content in (("tls.crt", self.chain), ("tls.key", self.key)):
            partial = folder / f"{name}.partial"
            partial.write_bytes(content)
            partial.replace(folder / name)


class Authority:
    """Signs certificates."""

    def __init__(self, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = made.public_bytes(Encoding.PEM)

    def leaf(
        self,
        *uris: str,
        dns: Sequence[str] = (),
        serves: bool = False,
        common_name: str = "",
        hours: tuple[float, float] = (-1, 1),
    ) -> Leaf:
        """Return a certificate for names, valid between hours from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.DNSName(one) for one in dns]
        names += LOCALHOST if serves else ()
        subject = (
            [x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, common_name)] if common_name else []
        )
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(hours=hours[0]))
            .not_valid_after(now + timedelta(hours=hours[1]))
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        return Leaf(
            builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    def identity(self, *uris: str) -> ChannelIdentity:
        """Return what a caller has who holds a certificate for a name and trusts us."""
        leaf = self.leaf(*uris)
        return ChannelIdentity(Reloadable(Pem(self.pem, leaf.chain, leaf.key)))
