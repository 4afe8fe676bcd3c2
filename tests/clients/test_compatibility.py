"""What is refused as breaking clients of the last release, on a copy of the protos."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_PROTOS = Path(__file__).resolve().parents[2] / "protos"
_REQUEST = "harken/ranker/v1/ranker_service.proto"


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    copy = tmp_path / "protos"
    shutil.copytree(_PROTOS, copy, ignore=shutil.ignore_patterns("gen", "__pycache__"))
    return copy


def checked(protos: Path) -> subprocess.CompletedProcess[str]:
    # The copy's own script and images; no git, no tags.
    buf = Path(sys.executable).with_name("buf")
    return subprocess.run(
        [str(protos / "breaking.sh")],
        env={**os.environ, "BUF": str(buf)},
        cwd=protos,
        capture_output=True,
        text=True,
        timeout=60,
    )


def edit(protos: Path, before: str, after: str) -> None:
    path = protos / _REQUEST
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))


def test_the_protos_are_compatible_with_the_last_release(protos: Path) -> None:
    done = checked(protos)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compatible with v" in done.stdout


def test_a_new_field_passes(protos: Path) -> None:
    edit(protos, "  bool preview = 10;", "  bool preview = 10;\n  string added = 99;")
    done = checked(protos)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("  bool preview = 10;\n", "", 'Previously present field "10" with name "preview"'),
        ("  uint32 count = 4;\n  // Optional; default: only",
         "  uint32 size = 4;\n  // Optional; default: only", '"count"'),
        ("  bool preview = 10;", "  string preview = 10;", '"bool" to "string"'),
        ("  rpc Rank(RankRequest) returns (RankResponse);", "", 'RPC "Rank"'),
    ],
    ids=["field removed", "field renamed", "type changed", "rpc removed"],
)  # fmt: skip
def test_a_breaking_change_is_refused(
    protos: Path, before: str, after: str, complaint: str
) -> None:
    edit(protos, before, after)
    done = checked(protos)
    assert done.returncode == 1, done.stdout + done.stderr
    assert complaint in done.stdout
    assert "breaks clients of v" in done.stdout


def test_the_newest_image_counts(protos: Path) -> None:
    """0.10 is newer than 0.9; what came after 0.1 and is gone again breaks clients of 0.10."""
    edit(protos, "  bool preview = 10;", "  bool preview = 10;\n  string added = 99;")
    buf = Path(sys.executable).with_name("buf")
    image = protos / "released" / "v0.10.0.binpb"
    subprocess.run([str(buf), "build", str(protos), "-o", str(image)], check=True)
    shutil.copy(protos / "released" / "v0.1.0.binpb", protos / "released" / "v0.9.0.binpb")
    edit(protos, "  bool preview = 10;\n  string added = 99;", "  bool preview = 10;")
    done = checked(protos)
    assert done.returncode == 1
    assert "breaks clients of v0.10.0" in done.stdout
