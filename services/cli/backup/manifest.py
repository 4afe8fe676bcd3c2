"""What a backup holds: written beside the dumps, and checked before anything is restored."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.cli.failures import CommandError

FILE_NAME = "manifest.json"
_FORMAT = 1
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FeedPoint:
    """A point of the feed: epoch, sequence of the log, version of the learner."""

    epoch: int
    sequence: int
    version: int


@dataclass(frozen=True, slots=True)
class Part:
    """One schema. `rows` by table; `migrations` applied; `at`: the point of the feed it is at."""

    schema: str
    file: str
    size: int
    sha256: str
    server: int
    migrations: tuple[str, ...]
    rows: Mapping[str, int]
    at: FeedPoint


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole backup. `created_at` is ISO 8601, UTC."""

    harken: str
    created_at: str
    parts: tuple[Part, ...]

    def part(self, schema: str) -> Part:
        """Return the part of a schema."""
        return next(part for part in self.parts if part.schema == schema)

    def write(self, folder: Path) -> None:
        """Write manifest.json, with a checksum over itself."""
        content = {"format": _FORMAT, **asdict(self)}
        text = json.dumps({**content, "checksum": _checksum(content)}, indent=2)
        (folder / FILE_NAME).write_text(text + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a backup.

    Raises:
        CommandError: there is none, or it is damaged, or of another format.

    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise CommandError(f"{path} is not there: {folder} is no complete backup")
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        if content.pop("checksum") != _checksum(content):
            raise CommandError(f"{path} is damaged: its checksum is wrong")
        if content["format"] != _FORMAT:
            raise CommandError(f"{path} has format {content['format']}, this is for {_FORMAT}")
        return Manifest(
            content["harken"], content["created_at"], tuple(map(_part, content["parts"]))
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is damaged: {error}") from None


def check_files(manifest: Manifest, folder: Path, progress: Callable[[int], None]) -> None:
    """Compare the dumps with the manifest; `progress` hears how many bytes are read.

    Raises:
        CommandError: a file is missing or damaged; the message names it.

    """
    done = 0
    for part in manifest.parts:
        path = folder / part.file
        if not path.is_file():
            raise CommandError(f"{path} is missing")
        size = path.stat().st_size
        if size != part.size:
            raise CommandError(f"{path} is damaged: it has {size:,} bytes, not {part.size:,}")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                done += len(chunk)
                progress(done)
        if digest.hexdigest() != part.sha256:
            raise CommandError(f"{path} is damaged: its SHA-256 is not that of the manifest")


def _part(content: dict[str, Any]) -> Part:
    return Part(
        **{
            **content,
            "migrations": tuple(content["migrations"]),
            "at": FeedPoint(**content["at"]),
        }
    )


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
