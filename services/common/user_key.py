"""Stored keys of users and sessions.

Nothing stores or streams a user id: tables, the log and the feed hold stored keys. With a key of
ours that lives outside the databases they are pseudonyms, which nobody turns back without it (and
we do not either: names are kept sealed, services/common/vault). Without one they are the ids, with
a prefix that keeps users and sessions apart.

A pseudonym is one byte for the kind of subject, one for the version of the key, and the first 16
bytes of HMAC-SHA-256 (FIPS 198-1) over tenant, kind and id. Cut to 128 bits (NIST SP 800-107r1,
5.3): of 10^9 subjects two share one with a probability of 10^-21, nobody can search for such a pair
without the key, and 18 bytes are less in tables, feed and memory than most ids are. A later version
is made from the stored key before it, so that no plain id is needed to replace the key.
"""

import hashlib
from collections.abc import Callable, Sequence

from harken.common.v1 import subject_pb2
from services.common.validation import MAX_ID_BYTES

MAX_KEY_BYTES = MAX_ID_BYTES + 2
SECRET_BYTES = 32
MAX_VERSIONS = 50

_USER, _SESSION = b"u:", b"s:"
_USER_KIND, _SESSION_KIND = b"U", b"S"
_DIGEST_BYTES = 16
_PSEUDONYM_BYTES = 2 + _DIGEST_BYTES
_BLOCK_BYTES = 64
_OF_ID = b"harken stored key of an id\0"
_OF_KEY = b"harken stored key of a stored key\0"
_OF_CHECK = b"harken check of the pseudonym key\0"
_OF_FINGERPRINTS = b"harken key of event fingerprints\0"

Hmac = Callable[[bytes], bytes]


class WrongPseudonymKeyError(RuntimeError):
    """Stored keys were made with another key than ours, or without one."""


class Pseudonyms:
    """Makes stored keys of subjects, the same in every process that has the same secrets."""

    def __init__(self, secrets: Sequence[bytes] = ()) -> None:
        """`secrets`: of each version, oldest first, 32 bytes each; none: stored keys are the ids.

        Raises:
            ValueError: a secret is of another length, or there are more than 50.

        """
        if len(secrets) > MAX_VERSIONS:
            raise ValueError(f"has more than {MAX_VERSIONS} versions of a key")
        if any(len(secret) != SECRET_BYTES for secret in secrets):
            raise ValueError(f"has a key that is not of {SECRET_BYTES} bytes")
        self.version = len(secrets)
        """Of the newest secret; 0: without."""
        self._first, *self._later = [_hmac(secret) for secret in secrets] or [bytes]
        self._user_prefix = _USER_KIND + bytes((self.version,))
        self._session_prefix = _SESSION_KIND + bytes((self.version,))
        self.check_value = b""
        """Tells secrets apart and says nothing about them; empty without."""
        self.fingerprint_key = b""
        """What fingerprints of events are keyed with: they are made of what is sealed beside them,
        and whoever could try values would find it. The same for all versions; empty without."""
        if secrets:
            newest = (self._later or [self._first])[-1]
            self.check_value = bytes((self.version,)) + newest(_OF_CHECK)[:_DIGEST_BYTES]
            self.fingerprint_key = self._first(_OF_FINGERPRINTS)

    @property
    def keyed(self) -> bool:
        """Whether stored keys are pseudonyms."""
        return self.version > 0

    def key_of(self, tenant: str, subject: subject_pb2.Subject) -> bytes:
        """Return the stored key of a subject of a tenant.

        Raises:
            ValueError: neither user_id nor session_id is set.

        """
        match subject.WhichOneof("kind"):
            case "user_id":
                return self.key_of_user(tenant, subject.user_id)
            case "session_id":
                return self.key_of_session(tenant, subject.session_id)
            case _:
                raise ValueError("neither user_id nor session_id is set")

    def key_of_user(self, tenant: str, user_id: str) -> bytes:
        """Return the stored key of a user."""
        if not self.version:
            return _USER + user_id.encode()
        return self._user_prefix + self._digest(tenant, _USER_KIND, user_id)

    def key_of_session(self, tenant: str, session_id: str) -> bytes:
        """Return the stored key of a session."""
        if not self.version:
            return _SESSION + session_id.encode()
        return self._session_prefix + self._digest(tenant, _SESSION_KIND, session_id)

    def _digest(self, tenant: str, kind: bytes, name: str) -> bytes:
        # A tenant has no zero character, so no two subjects have the same text.
        made = self._first(b"".join((_OF_ID, tenant.encode(), b"\0", kind, name.encode())))
        digest = made[:_DIGEST_BYTES]
        for version, hmac in enumerate(self._later, 2):
            before = kind + bytes((version - 1,)) + digest
            digest = hmac(b"".join((_OF_KEY, tenant.encode(), b"\0", before)))[:_DIGEST_BYTES]
        return digest


def is_pseudonym(user_key: bytes) -> bool:
    """Return whether a stored key is one."""
    return user_key[:1] in (_USER_KIND, _SESSION_KIND) and len(user_key) == _PSEUDONYM_BYTES


def plain_subject(user_key: bytes) -> subject_pb2.Subject:
    """Return the subject that a stored key without pseudonym names."""
    name = user_key[len(_USER) :].decode()
    if user_key.startswith(_SESSION):
        return subject_pb2.Subject(session_id=name)
    return subject_pb2.Subject(user_id=name)


def named_subject(user_key: bytes, name: str) -> subject_pb2.Subject:
    """Return the subject of a pseudonym, given its id."""
    if user_key.startswith(_SESSION_KIND):
        return subject_pb2.Subject(session_id=name)
    return subject_pb2.Subject(user_id=name)


def _hmac(secret: bytes) -> Hmac:
    """Return HMAC-SHA-256 of a secret. The states after the padded key are copied, which takes less
    than half of the time of the standard library's.
    """
    padded = secret.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def digest(message: bytes) -> bytes:
        inside, outside = inner.copy(), outer.copy()
        inside.update(message)
        outside.update(inside.digest())
        return outside.digest()

    return digest
