"""Packed files are known by their bytes; damaged and foreign ones are named."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from services.dataset.faults import SourceError
from tests.dataset.tables import rows_of, written

HEAD = b"user,item\n"
WANTED = [{"user": "a", "item": "1"}, {"user": "b", "item": "2"}]


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


def zipped(members: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return whole.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "zstd": zstd, "bz2": bz2.compress, "xz": lzma.compress,
}  # fmt: skip


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz", "e"])
def test_what_is_packed_is_found_whatever_its_name(tmp_path: Path, packer: str, name: str) -> None:
    path = written(tmp_path / name, PACKERS[packer](HEAD + b"a,1\nb,2\n"))
    assert rows_of(path) == WANTED


@pytest.mark.parametrize("packer", PACKERS)
def test_several_members_or_frames_are_one_file(tmp_path: Path, packer: str) -> None:
    """As logs that grow are written, and as pigz and split uploads make them."""
    pack = PACKERS[packer]
    path = written(tmp_path / "e.csv", pack(HEAD) + pack(b"a,1\nb") + pack(b",2\n"))
    assert rows_of(path) == WANTED


@pytest.mark.parametrize("packer", PACKERS)
def test_a_file_that_is_cut_off_is_damaged(tmp_path: Path, packer: str) -> None:
    lines = b"".join(b"%d,%d\n" % (n, n * 7919 % 10_007) for n in range(50_000))
    whole = PACKERS[packer](HEAD + lines)
    path = written(tmp_path / "cut.csv", whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"cut\.csv is damaged"):
        rows_of(path)
    written(path, whole[:7])
    with pytest.raises(SourceError, match=r"cut\.csv"):
        rows_of(path)


@pytest.mark.parametrize("packer", PACKERS)
def test_flipped_bytes_are_damage(tmp_path: Path, packer: str) -> None:
    lines = b"".join(b"%d,%d\n" % (n, n * 7919 % 10_007) for n in range(5_000))
    whole = bytearray(PACKERS[packer](HEAD + lines))
    whole[len(whole) // 2] ^= 0xFF
    path = written(tmp_path / "bad.csv", bytes(whole))
    with pytest.raises(SourceError, match=r"bad\.csv is damaged"):
        rows_of(path)


def test_all_files_of_a_zip_are_rows_of_one_table(tmp_path: Path) -> None:
    content = zipped({
        "a.csv": HEAD + b"a,1\n", "in/b.csv": HEAD + b"b,2\n", "__MACOSX/x": b"\0",
        ".hidden": b"\0",
    })  # fmt: skip
    assert rows_of(written(tmp_path / "data.zip", content)) == WANTED


def test_zips_that_hold_no_table_are_named(tmp_path: Path) -> None:
    for content, says in (
        (zipped({}), "without files"),
        (zipped({"xl/workbook.xml": b"<x/>"}), "an Excel workbook"),
        (zipped({"a.csv": HEAD})[:40], "not a zip file"),
    ):
        with pytest.raises(SourceError, match=says):
            rows_of(written(tmp_path / "data.zip", content))
    locked = bytearray(zipped({"a.csv": HEAD}))
    # The bit that says "encrypted", in the entry of the directory.
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(SourceError, match="with a password"):
        rows_of(written(tmp_path / "data.zip", bytes(locked)))


def tarred() -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("e.csv"), io.BytesIO())
    return whole.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"7z\xbc\xaf'\x1c...", "a 7-Zip archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b"\xd0\xcf\x11\xe0", "an old Excel file"),
        (b"Obj\x01", "Avro"),
        (b"ORC", "ORC"),
        (b"ARROW1\x00\x00", "an Arrow file"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\x93NUMPY", "a NumPy array"),
        (b"\x80\x04\x95", "a pickle"),
        (tarred(), "a tar archive"),
        (gzip.compress(tarred(), mtime=0), "a tar archive"),
        (b"<html><body>", "XML or HTML"),
        (b"\x00\x01\x02\x00\xff\x00\x00" * 50, "not text"),
        (b"", "is empty"),
        (b"\n\r\n  \n", "is empty"),
    ],
)
def test_formats_that_are_not_read_are_named(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        rows_of(written(tmp_path / "data.csv", content))
