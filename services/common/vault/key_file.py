"""Files of secret keys, by version.

JSON: {"purpose": "vault", "keys": [{"version": 1, "key": "<base64 of 32 bytes>", "since": 0}]},
versions in order. A key is used for what is new from the unix time `since` on, so that every
process has it before the first does. A file is written by `harken vault`, or by whatever brings
secrets to a process: the agent of a key management service, a CSI driver, a mounted Secret.
"""

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

KEY_BYTES = 32
MAX_VERSION = 2**31 - 1


class Purpose(StrEnum):
    """What keys of a file are for: one is of no use for the other."""

    PSEUDONYMS = "pseudonyms"
    VAULT = "vault"


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key, its version, at least 1, and the unix time from which on it is used."""

    version: int
    key: bytes
    since: int = 0


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Keys in order of their versions, at least one."""

    purpose: Purpose
    keys: tuple[FileKey, ...]

    def with_new(self, since: int = 0) -> "KeyFile":
        """Return the same with another random key, of the next version."""
        version = self.keys[-1].version + 1 if self.keys else 1
        new = FileKey(version, secrets.token_bytes(KEY_BYTES), since)
        return KeyFile(self.purpose, (*self.keys, new))

    def without(self, version: int) -> "KeyFile":
        """Return the same without a version."""
        return KeyFile(self.purpose, tuple(one for one in self.keys if one.version != version))


def new_keys(purpose: Purpose) -> KeyFile:
    """Return one random key."""
    return KeyFile(purpose, ()).with_new()


def parse_keys(purpose: Purpose, contents: Sequence[bytes]) -> KeyFile:
    """Return the keys of a file; its fault shows nothing of it.

    Raises:
        ValueError: it is no such file, or for another purpose.

    """
    (content,) = contents
    try:
        found: Any = json.loads(content)
        of = found["purpose"]
        keys = tuple(
            FileKey(
                int(row["version"]), base64.b64decode(row["key"], validate=True),
                int(row.get("since", 0)),
            )
            for row in found["keys"]
        )  # fmt: skip
    except (TypeError, KeyError, AttributeError, ValueError):
        raise ValueError("is no file of keys as `harken vault init` writes") from None
    if of != purpose:
        raise ValueError(f"is not a file of keys for {purpose}")
    versions = [one.version for one in keys]
    if not keys or versions != sorted(set(versions)) or not 1 <= versions[0] <= MAX_VERSION:
        raise ValueError("must have keys in order of their versions, from 1 on")
    if any(len(one.key) != KEY_BYTES for one in keys):
        raise ValueError(f"has a key that is not of {KEY_BYTES} bytes")
    return KeyFile(purpose, keys)


def read_key_file(purpose: Purpose, path: Path) -> KeyFile:
    """Return the keys of a file.

    Raises:
        RuntimeError: it cannot be read, or is wrong; the message names it, and shows nothing.

    """
    try:
        return parse_keys(purpose, [path.read_bytes()])
    except OSError as error:
        raise RuntimeError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RuntimeError(f"{path}: {error}") from None


def write_key_file(path: Path, file: KeyFile) -> None:
    """Replace a file, in one step; only its owner may read it."""
    rows = [
        {"version": one.version, "key": base64.b64encode(one.key).decode(), "since": one.since}
        for one in file.keys
    ]
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(json.dumps({"purpose": file.purpose, "keys": rows}, indent=2) + "\n")
    partial.replace(path)
