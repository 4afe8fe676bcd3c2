"""Packed files, known by their first bytes and not by their names."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from services.dataset.faults import SourceError

HEAD_BYTES = 512
_PIECE_BYTES = 1 << 14

DAMAGED = (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, NotImplementedError,
           zstandard.ZstdError)  # fmt: skip
"""What reading a damaged packed file raises."""

_FOREIGN = (
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf'\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"Obj\x01", "Avro"),
    (b"ORC", "ORC"),
    (b"ARROW1", "an Arrow file (Feather)"),
    (b"\x89HDF", "HDF5"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x04", "a pickle"),
)
_EXCEL_MEMBER = "xl/workbook.xml"


def open_unpacked(path: Path) -> BinaryIO:
    """Open a file for reading what is packed in it: gzip, zstd, bz2 or xz, else as it is.

    Raises:
        SourceError: it cannot be opened.

    """
    head = head_of(path)
    opened: object
    if head.startswith(b"\x1f\x8b"):
        opened = gzip.GzipFile(path)
    elif head.startswith(b"BZh"):
        opened = bz2.BZ2File(path)
    elif head.startswith(b"\xfd7zXZ\x00"):
        opened = lzma.open(path)  # noqa: SIM115
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        opened = io.BufferedReader(_ZstdFile(path), _PIECE_BYTES)
    else:
        opened = path.open("rb")
    return cast("BinaryIO", opened)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file as it lies on disk.

    Raises:
        SourceError: it cannot be opened.

    """
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error


def zip_members(path: Path) -> list[tuple[str, Callable[[], BinaryIO]]] | None:
    """Return name and opener of each file in a zip archive; None when it is none.

    Raises:
        SourceError: it is damaged, empty, a spreadsheet, or needs a password.

    """
    if not head_of(path).startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if _is_data(one.filename)]
            if any(one.filename == _EXCEL_MEMBER for one in members):
                raise SourceError(f"{path} is an Excel workbook: export its sheet as CSV")
            if any(one.flag_bits & 1 for one in members):
                raise SourceError(f"{path} is a zip archive with a password: unpack it first")
    except zipfile.BadZipFile as error:
        raise SourceError(f"{path}: {error}") from error
    if not members:
        raise SourceError(f"{path} is a zip archive without files")
    return [(one.filename, _opener(path, one)) for one in members]


def foreign_format(head: bytes) -> str:
    """Return what a file is when it is none that we read, by its first bytes; else ""."""
    if head[257:262] == b"ustar":
        return "a tar archive"
    return next((name for magic, name in _FOREIGN if head.startswith(magic)), "")


def chunks_of(path: Path, size: int) -> Iterator[bytes]:
    """Yield the bytes of a file as it lies on disk."""
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


class _ZstdFile(io.RawIOBase):
    """Frame after frame, as logs that grow have them. The reader of the library takes a frame that
    is cut off for the end of the file.
    """

    def __init__(self, path: Path) -> None:
        self._packed = path.open("rb")
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            packed = self._frame.unused_data if self._frame.eof else b""
            packed = packed or self._packed.read(_PIECE_BYTES)
            if not packed:
                if self._begun and not self._frame.eof:
                    raise EOFError("a frame does not end: the file is cut off")
                return 0
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._begun = True
            self._left = memoryview(self._frame.decompress(packed))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        self._packed.close()
        super().close()


def _is_data(name: str) -> bool:
    parts = name.split("/")
    return bool(parts[-1]) and not any(part.startswith((".", "__MACOSX")) for part in parts)


def _opener(path: Path, member: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: cast("BinaryIO", zipfile.ZipFile(path).open(member))
