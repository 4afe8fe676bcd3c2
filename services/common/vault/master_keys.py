"""Master keys: they wrap the keys of users, and live outside the databases.

`KeyWrapping` is the place for a key management service that wraps by itself; `MasterKeys` wraps
with keys of a file. A wrapped key: 4 bytes of the master key's version, a random nonce of 96 bits,
and AES-256-GCM of the user's key; the tag also covers whose it is. Random nonces are good for 2^32
wrappings with one master key (NIST SP 800-38D, 8.3), so rotate before there are as many users.
"""

import secrets
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.vault.sealing import KEY_BYTES, NAME_BYTES, NONCE_BYTES, UserSecret, place

_VERSION_BYTES = 4
_PURPOSE = b"wrapped"


class WrongMasterKeyError(RuntimeError):
    """A key was wrapped by a master key that is not there, or that is another one."""


class KeyWrapping(Protocol):
    """Wraps keys of users."""

    @property
    def version(self) -> int:
        """Which version of the master key wraps, at least 1."""

    def wrap(self, tenant: str, user_key: bytes, secret: UserSecret) -> bytes:
        """Return a user's key, wrapped by the newest version."""

    def unwrap(self, tenant: str, user_key: bytes, wrapped: bytes) -> UserSecret:
        """Return a user's key.

        Raises:
            WrongMasterKeyError: it cannot be unwrapped by what is here.

        """


class MasterKeys:
    """Wraps with keys that are held here."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: by version, the first has version 1; at least one."""
        self._ciphers = [AESGCM(key) for key in keys]

    @property
    def version(self) -> int:
        """Which version wraps: the newest."""
        return len(self._ciphers)

    def wrap(self, tenant: str, user_key: bytes, secret: UserSecret) -> bytes:
        """Return a user's key, wrapped."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        wrapped = self._ciphers[-1].encrypt(
            nonce, secret.name + secret.key, place(tenant, user_key, _PURPOSE)
        )
        return b"".join((self.version.to_bytes(_VERSION_BYTES), nonce, wrapped))

    def unwrap(self, tenant: str, user_key: bytes, wrapped: bytes) -> UserSecret:
        """Return a user's key. Raises WrongMasterKeyError."""
        version = wrapped_version(wrapped)
        if not 1 <= version <= self.version:
            raise WrongMasterKeyError(
                f"master key {version} is needed, and the newest here is {self.version}"
            )
        begins = _VERSION_BYTES + NONCE_BYTES
        try:
            content = self._ciphers[version - 1].decrypt(
                wrapped[_VERSION_BYTES:begins], wrapped[begins:], place(tenant, user_key, _PURPOSE)
            )
        except InvalidTag:
            raise WrongMasterKeyError(
                f"master key {version} is another one than wrapped the keys of users"
            ) from None
        if len(content) != NAME_BYTES + KEY_BYTES:
            raise WrongMasterKeyError("a wrapped key is of a form that is not known")
        return UserSecret(content[:NAME_BYTES], content[NAME_BYTES:])


def wrapped_version(wrapped: bytes) -> int:
    """Return which version of the master key wrapped a key."""
    return int.from_bytes(wrapped[:_VERSION_BYTES])
