"""The files of a source: named, in folders, by patterns, in archives, or on standard input."""

import glob
import hashlib
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from services.dataset.faults import SourceError
from services.dataset.source.packing import chunks_of, open_unpacked, zip_members

STDIN = "-"
REJECTS = ".rejects.jsonl"
"""How files of rejected rows end. In a folder they are no data of it."""
_CHUNK_BYTES = 1 << 20
_HIVE = re.compile(r"([^=/]+)=([^/]*)")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class Part:
    """One file with rows.

    `path`: where it lies on disk; `open` gives what is packed in it. `constants`: columns that the
    names of its folders say (Hive partitions, "day=2023-10-01"); None: empty.
    """

    name: str
    path: Path
    open: Callable[[], BinaryIO]
    constants: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def suffixes(self) -> Sequence[str]:
        """Return the endings of the name, in lower case, those of packing left out."""
        packed = (".gz", ".zst", ".bz2", ".xz", ".zip")
        endings = [suffix.lower() for suffix in Path(self.name).suffixes]
        return [ending for ending in endings if ending not in packed]


@contextmanager
def parts_of(files: Sequence[str]) -> Iterator[Sequence[Part]]:
    """Return the files that names, folders, patterns and "-" mean, in a fixed order.

    Standard input is kept on disk while the block lasts, so that it can be read more than once.

    Raises:
        SourceError: there is no such file, or nothing in it.

    """
    with tempfile.TemporaryDirectory(prefix="harken-") as folder:
        found: list[Part] = []
        for name in files:
            found += _stdin(Path(folder)) if name == STDIN else _parts(name)
        yield found


def fingerprint_of(parts: Sequence[Part]) -> str:
    """Return a hash of the files of a source as they lie on disk."""
    digest = hashlib.blake2b(digest_size=16)
    for path in dict.fromkeys(part.path for part in parts):
        digest.update(path.stat().st_size.to_bytes(8, "big"))
        for chunk in chunks_of(path, _CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _stdin(folder: Path) -> Sequence[Part]:
    path = folder / "stdin"
    with path.open("wb") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
    return _file(path, "stdin", {})


def _parts(name: str) -> Sequence[Part]:
    path = Path(name)
    if path.is_file():
        return _file(path, path.name, {})
    if path.is_dir():
        files = [one for one in sorted(path.rglob("*")) if one.is_file() and _shows(one, path)]
        if not files:
            raise SourceError(f"there is no file in the folder {path}")
        return [
            part
            for one in files
            for part in _file(one, one.relative_to(path).as_posix(), _partitions(one, path))
        ]
    matching = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []  # noqa: PTH207
    if not name.endswith(REJECTS):
        matching = [one for one in matching if not one.endswith(REJECTS)]
    if not matching:
        if path.exists():
            # A pipe, such as that of <(...) in a shell.
            raise SourceError(f"{name} is no file: give its rows to standard input, and -")
        raise SourceError(f"there is no file {name}")
    return [part for one in matching for part in _parts(one)]


def _shows(file: Path, folder: Path) -> bool:
    """Return whether a file in a folder is data: _SUCCESS and .crc files are not, nor are rejects
    of an import of a file beside.
    """
    parts = file.relative_to(folder).parts
    return not (file.name.endswith(REJECTS) or any(part.startswith((".", "_")) for part in parts))


def _partitions(file: Path, folder: Path) -> Mapping[str, str | None]:
    constants: dict[str, str | None] = {}
    for part in file.relative_to(folder).parts[:-1]:
        found = _HIVE.fullmatch(part)
        if found is not None:
            value = unquote(found[2])
            constants[unquote(found[1]).lower()] = None if value == _HIVE_NULL else value
    return constants


def _file(path: Path, name: str, constants: Mapping[str, str | None]) -> Sequence[Part]:
    members = zip_members(path)
    if members is not None:
        return [Part(f"{name}:{member}", path, opened, constants) for member, opened in members]
    return [Part(name, path, lambda: open_unpacked(path), constants)]
