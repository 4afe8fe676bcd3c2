"""What the edge knows of the protos is as they are, and a stale copy is found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what build.py reads."""
    ignored = shutil.ignore_patterns("gen", "__pycache__")
    shutil.copytree(_ROOT / "protos", tmp_path / "protos", ignore=ignored)
    shutil.copytree(_ROOT / "deploy" / "edge", tmp_path / "deploy" / "edge", ignore=ignored)
    return tmp_path


def build(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "deploy" / "edge" / "build.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_new_field_makes_them_stale_until_built_again(checkout: Path) -> None:
    assert build(checkout).returncode == 0
    assert build(checkout, "--check").returncode == 0
    proto = checkout / "protos" / "harken" / "ranker" / "v1" / "ranker_service.proto"
    text = proto.read_text()
    proto.write_text(text.replace("  bool preview = 10;", "  bool preview = 10;\n  bool x = 99;"))
    stale = build(checkout, "--check")
    assert stale.returncode == 1
    assert "harken.binpb, request_schema.lua stale" in stale.stderr
    assert build(checkout).returncode == 0
    assert (
        '{ "x", "x", "one", "bool" }'
        in (checkout / "deploy" / "edge" / "request_schema.lua").read_text()
    )
    assert build(checkout, "--check").returncode == 0


def test_a_public_rpc_that_does_not_exist_is_an_error(checkout: Path) -> None:
    with (checkout / "deploy" / "edge" / "public_rpcs.txt").open("a") as listed:
        listed.write("harken.ranker.v1.RankerService/Guess\n")
    done = build(checkout)
    assert done.returncode != 0
    assert "Guess" in done.stderr


def _files() -> descriptor_pb2.FileDescriptorSet:
    content = (_ROOT / "deploy" / "edge" / "harken.binpb").read_bytes()
    return descriptor_pb2.FileDescriptorSet.FromString(content)


def test_every_kind_of_detail_is_known_to_the_edge() -> None:
    """Envoy 1.40 answers an error with an unknown detail by 400 and an empty body of gRPC."""
    known = {f"{file.package}.{one.name}" for file in _files().file for one in file.message_type}
    details = error_details_pb2.DESCRIPTOR.message_types_by_name.values()
    assert {one.full_name for one in details} <= known
    assert "google.rpc.Status" in known


def test_no_public_rpc_streams() -> None:
    """Envoy 1.40 ends a stream that fails half-way with 200 and a well-formed array."""
    public = {
        line.strip()
        for line in (_ROOT / "deploy" / "edge" / "public_rpcs.txt").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    seen = 0
    for file in _files().file:
        for service in file.service:
            for method in service.method:
                if f"{file.package}.{service.name}/{method.name}" in public:
                    seen += 1
                    assert not (method.client_streaming or method.server_streaming), method.name
    assert seen == len(public)
