"""API keys, "hk_<id>_<secret>", of which a file holds only hashes.

A file, and not a table: the ranker has no database, and none of the three reads another's. What
makes it is `harken keys`; processes read it anew when it is replaced, as Kubernetes does with a
mounted Secret. The secret is 256 bits by chance, so one round of SHA-256 is enough.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from services.common.access.principal import Principal, principal_of_text

PREFIX = "hk_"
_ID_BYTES, _SECRET_BYTES = 6, 32
_LONGEST = 128
NO_HASH = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key. Times are unix seconds."""

    key_id: str
    principal: str
    """Kind and tenant, such as backend/default."""
    sha256: str
    """Of the secret, in hexadecimal."""
    created_at: int
    expires_at: int
    note: str = ""
    revoked_at: int = 0
    """0: it is not."""

    def holds_at(self, now: float) -> bool:
        """Return whether it can be used."""
        return not self.revoked_at and now < self.expires_at


def create_key(principal: str, days: float, note: str, now: float) -> tuple[ApiKey, str]:
    """Return a new key, and what its holder is given, once.

    Raises:
        ValueError: `principal` is none that may have one.

    """
    _holder(principal, "")
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES)
    kept = ApiKey(
        key_id, principal, _hash(secret), int(now), int(now + days * 86_400), note
    )  # fmt: skip
    return kept, f"{PREFIX}{key_id}_{secret}"


def revoked(keys: Iterable[ApiKey], key_id: str, now: float) -> list[ApiKey]:
    """Return the keys with one of them revoked.

    Raises:
        KeyError: there is none of this id.

    """
    made = [
        replace(one, revoked_at=one.revoked_at or int(now)) if one.key_id == key_id else one
        for one in keys
    ]
    if not any(one.key_id == key_id for one in made):
        raise KeyError(key_id)
    return made


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _holder(principal: str, name: str) -> Principal:
    found = principal_of_text(principal, name)
    if found.kind.is_service:
        raise ValueError("our own services are known by certificates only")
    return found


def read_keys(contents: Sequence[bytes]) -> list[ApiKey]:
    """Return the keys of a file.

    Raises:
        ValueError: it is no such file.

    """
    (content,) = contents
    try:
        rows: Any = json.loads(content)["keys"]
        keys = [ApiKey(**row) for row in rows]
    except (ValueError, TypeError, KeyError):
        raise ValueError("is no file of keys") from None
    for one in keys:
        _holder(one.principal, one.key_id)
    if len({one.key_id for one in keys}) < len(keys):
        raise ValueError("has two keys of one id")
    return keys


def write_keys(path: Path, keys: Iterable[ApiKey]) -> None:
    """Replace the file, in one step."""
    partial = path.with_name(f"{path.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps({"keys": [asdict(one) for one in keys]}, indent=2) + "\n")
    partial.replace(path)


class KeyRing:
    """Finds the principal of a key."""

    def __init__(self, keys: Iterable[ApiKey], clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._keys: Mapping[str, tuple[ApiKey, Principal]] = {
            one.key_id: (one, _holder(one.principal, f"key:{one.key_id}")) for one in keys
        }

    def principal_of(self, token: str) -> Principal | None:
        """Return whose key it is; None when it is none, or none that can be used."""
        if len(token) > _LONGEST:
            return None
        key_id, _, secret = token.removeprefix(PREFIX).partition("_")
        key, holder = self._keys.get(key_id, (None, None))
        # As long for an id that is not there.
        same = hmac.compare_digest(_hash(secret), key.sha256 if key else NO_HASH)
        return holder if key is not None and same and key.holds_at(self._clock()) else None
