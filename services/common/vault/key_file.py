"""Files of secret keys: several versions, of which the newest is used for what is new.

JSON: {"purpose": "pseudonyms", "keys": [{"version": 1, "key": "<base64 of 32 bytes>"}]}, versions
from 1 on. A file is written by `harken vault init`, or by whatever brings secrets to a process: the
agent of a key management service, a CSI driver, a mounted Secret.
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


class Purpose(StrEnum):
    """What keys of a file are for: one is of no use for the other."""

    PSEUDONYMS = "pseudonyms"
    VAULT = "vault"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Keys by version: the first has version 1."""

    purpose: Purpose
    keys: tuple[bytes, ...]

    def with_new(self) -> "KeyFile":
        """Return the same with another random key, which is the newest."""
        return KeyFile(self.purpose, (*self.keys, secrets.token_bytes(KEY_BYTES)))


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
        if found["purpose"] != purpose:
            raise ValueError(f"is not a file of keys for {purpose}")
        rows = found["keys"]
        keys = tuple(base64.b64decode(row["key"], validate=True) for row in rows)
        versions = [row["version"] for row in rows]
    except (TypeError, KeyError, json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError("is no file of keys of `harken vault init`") from None
    if not keys or versions != list(range(1, len(keys) + 1)):
        raise ValueError("must have keys of the versions 1, 2 and so on, in order")
    if any(len(key) != KEY_BYTES for key in keys):
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
        {"version": version, "key": base64.b64encode(key).decode()}
        for version, key in enumerate(file.keys, 1)
    ]
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(json.dumps({"purpose": file.purpose, "keys": rows}, indent=2) + "\n")
    partial.replace(path)
