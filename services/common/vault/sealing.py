"""Sealing what belongs to a user under that user's key: AES-256-GCM (NIST SP 800-38D).

What is sealed: one byte of the form (1), 4 bytes that name the key, a random nonce of 96 bits, the
ciphertext and its tag of 128 bits. The tag also covers tenant, stored key and purpose, so that
nothing can be put in another place. A user's key seals far below the 2^32 messages that random
nonces are good for.
"""

import secrets
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NAME_BYTES = 4
NONCE_BYTES = 12
OVERHEAD_BYTES = 1 + NAME_BYTES + NONCE_BYTES + 16
_FORM = b"\x01"


class SealPurpose(Enum):
    """What is sealed."""

    NAME = b"name"
    """The id of the user or session."""
    ATTRIBUTES = b"attributes"
    CONTEXT = b"context"


class BrokenSealError(Exception):
    """What was sealed was changed since, or stands where it was not sealed for."""


@dataclass(frozen=True, slots=True)
class UserSecret:
    """The key of a user, and what names it: after another one was made the name differs."""

    name: bytes
    key: bytes = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """Return a random one."""
        return cls(secrets.token_bytes(NAME_BYTES), secrets.token_bytes(KEY_BYTES))

    def seal(self, tenant: str, user_key: bytes, purpose: SealPurpose, plain: bytes) -> bytes:
        """Return `plain`, sealed."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        beside = place(tenant, user_key, purpose.value)
        return b"".join((_FORM, self.name, nonce, AESGCM(self.key).encrypt(nonce, plain, beside)))

    def sealed(self, sealed: bytes) -> bool:
        """Return whether this key sealed that; else it was an earlier one of the user's."""
        return sealed[1 : 1 + NAME_BYTES] == self.name

    def unseal(self, tenant: str, user_key: bytes, purpose: SealPurpose, sealed: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            BrokenSealError: it was not sealed so, with this key.

        """
        if sealed[:1] != _FORM or len(sealed) < OVERHEAD_BYTES:
            raise BrokenSealError("what is sealed has a form that is not known")
        begins = 1 + NAME_BYTES + NONCE_BYTES
        nonce = sealed[1 + NAME_BYTES : begins]
        beside = place(tenant, user_key, purpose.value)
        try:
            return AESGCM(self.key).decrypt(nonce, sealed[begins:], beside)
        except InvalidTag:
            raise BrokenSealError("a seal is broken") from None


def place(tenant: str, user_key: bytes, purpose: bytes) -> bytes:
    """Return what says where something is sealed for; no two places have the same."""
    return b"".join((purpose, b"\0", tenant.encode(), b"\0", user_key))
