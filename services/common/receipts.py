"""Signed receipts of what a component did for an erasure."""

import os
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from harken.profile.v1 import erasure_pb2


class ReceiptSigner:
    """Signs what one component of this process did; without a key receipts are not signed."""

    def __init__(
        self, component: str, key: Ed25519PrivateKey | None, instance: str | None = None
    ) -> None:
        """`instance`: which of the component; default: host and process."""
        self._component = component
        self._key = key
        self._instance = instance or f"{socket.gethostname()}/{os.getpid()}"

    def signed(
        self, erasure_id: str, counts: Mapping[str, int], position: bytes, time: datetime
    ) -> erasure_pb2.ErasureReceipt:
        """Return the receipt of what was done for an erasure."""
        said = erasure_pb2.ErasureStatement(
            component=self._component,
            instance=self._instance,
            erasure_id=erasure_id,
            counts=counts,
            position=position,
        )
        said.time.FromDatetime(time)
        statement = said.SerializeToString(deterministic=True)
        receipt = erasure_pb2.ErasureReceipt(statement=statement)
        if self._key is not None:
            receipt.signature = self._key.sign(statement)
            receipt.public_key = self._key.public_key().public_bytes_raw()
        return receipt


def receipt_key(path: Path | None) -> Ed25519PrivateKey | None:
    """Return the key of a PEM file; None without a file.

    Raises:
        ValueError: the file holds no Ed25519 key.
        OSError: it cannot be read.

    """
    if path is None:
        return None
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")  # noqa: TRY004
    return key


def make_receipt_key(path: Path) -> None:
    """Make a key in a file that only its owner may read, and beside it, .pub, the public one; a
    file that is there stays.
    """
    if path.exists():
        return
    key = Ed25519PrivateKey.generate()
    path.with_suffix(".pub").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def is_signed(receipt: erasure_pb2.ErasureReceipt) -> bool:
    """Return whether the signature of a receipt is that of its public key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(receipt.public_key)
        key.verify(receipt.signature, receipt.statement)
    except (InvalidSignature, ValueError):
        return False
    return True
