"""The settings file: TOML or JSON, one name a setting, in lower case without the prefix."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Stamp = tuple[int, int, int]
"""What changes when a file does: inode, time of modification in ns, size."""


class SettingsFileError(Exception):
    """The file cannot be read; the message says why, and shows no values."""


def read_settings_file(path: Path) -> Mapping[str, Any]:
    """Return the names and values in a file.

    Raises:
        SettingsFileError: it is away, neither .toml nor .json, or not well formed.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsFileError(f"cannot read {path}: {why}") from None
    match path.suffix:
        case ".toml":
            return _parsed(path, "TOML", tomllib.loads, text)
        case ".json":
            return _parsed(path, "JSON", json.loads, text)
        case _:
            raise SettingsFileError(f"{path} must end in .toml or .json")


def _parsed(path: Path, kind: str, parse: Any, text: str) -> Mapping[str, Any]:
    try:
        # Faults of both parsers say where, and nothing of the values.
        values = parse(text)
    except ValueError as error:
        raise SettingsFileError(f"{path} is not {kind}: {error}") from None
    if not isinstance(values, dict):
        raise SettingsFileError(f"{path} holds no names and values")
    return values


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file, following links; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
