"""Master keys: they wrap the keys of users, and live outside the databases.

`KeyWrapping` is the place for a key management service that wraps by itself; `MasterKeys` wraps
with keys of a file. A wrapped key: 4 bytes of the master key's version, a random nonce of 96 bits,
and AES-256-GCM of the user's key; the tag also covers whose it is. Random nonces are good for 2^32
wrappings with one master key (NIST SP 800-38D, 8.3), so rotate before there are as many users.
"""

import secrets
import time
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.vault.key_file import KeyFile
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
    """Wraps with keys of a file, which are held here."""

    def __init__(self, file: KeyFile, clock: Callable[[], float] = time.time) -> None:
        """`clock`: unix time, which says what key is used."""
        self._ciphers = {one.version: AESGCM(one.key) for one in file.keys}
        self._file = file
        self._clock = clock

    @property
    def version(self) -> int:
        """Which version wraps: the newest whose time has come, or the first."""
        now = self._clock()
        ready = [one.version for one in self._file.keys if one.since <= now]
        return ready[-1] if ready else self._file.keys[0].version

    def wrap(self, tenant: str, user_key: bytes, secret: UserSecret) -> bytes:
        """Return a user's key, wrapped."""
        version, nonce = self.version, secrets.token_bytes(NONCE_BYTES)
        beside = place(tenant, user_key, _PURPOSE)
        wrapped = self._ciphers[version].encrypt(nonce, secret.name + secret.key, beside)
        return b"".join((version.to_bytes(_VERSION_BYTES), nonce, wrapped))

    def unwrap(self, tenant: str, user_key: bytes, wrapped: bytes) -> UserSecret:
        """Return a user's key. Raises WrongMasterKeyError."""
        version = wrapped_version(wrapped)
        if version not in self._ciphers:
            have = ", ".join(map(str, self._ciphers))
            raise WrongMasterKeyError(f"version {version} of the master key is needed, not {have}")
        begins = _VERSION_BYTES + NONCE_BYTES
        try:
            content = self._ciphers[version].decrypt(
                wrapped[_VERSION_BYTES:begins], wrapped[begins:], place(tenant, user_key, _PURPOSE)
            )
        except InvalidTag:
            raise WrongMasterKeyError(
                f"version {version} of the master key is another one than wrapped the keys of users"
            ) from None
        if len(content) != NAME_BYTES + KEY_BYTES:
            raise WrongMasterKeyError("a wrapped key is of a form that is not known")
        return UserSecret(content[:NAME_BYTES], content[NAME_BYTES:])


def wrapped_version(wrapped: bytes) -> int:
    """Return which version of the master key wrapped a key."""
    return int.from_bytes(wrapped[:_VERSION_BYTES])
