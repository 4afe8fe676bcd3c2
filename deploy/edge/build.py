"""Builds what the edge knows of the protos: `python deploy/edge/build.py [--check] [--buf PATH]`.

Writes harken.binpb, the descriptor set of the transcoder, with a google.api.http rule for each RPC
of public_rpcs.txt (the protos themselves stay free of such imports), and request_schema.lua, the
fields that a JSON request may have, and access/envoy.yaml: envoy.yaml for services that
ask who calls, as Envoy's files cannot include others. `--check` writes nothing and fails when one
of them is stale.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from google.api import annotations_pb2, http_pb2  # type: ignore[import-untyped]
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.rpc import error_details_pb2, status_pb2

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DESCRIPTORS = "harken.binpb"
SCHEMA = "request_schema.lua"
WITH_ACCESS = "access/envoy.yaml"
# Messages that JSON writes in a way of its own, by the kind that request_check.lua knows.
_WELL_KNOWN = {
    "google.protobuf.Timestamp": "string",
    "google.protobuf.Duration": "string",
    "google.protobuf.FieldMask": "string",
    "google.protobuf.Struct": "object",
    "google.protobuf.Value": "any",
}
# Of each, a line of envoy.yaml before which a part for services that ask who calls is put.
_PARTS = {
    "credentials": "                  - name: envoy.filters.http.lua\n",
    "unauthenticated": "                    - filter: { status_code_filter: { comparison: { op: EQ,"
    " value: { default_value: 404,",
}
_CLUSTERS = ("ranker", "feedback", "profile")
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    parser.add_argument("--buf", default=None, help="default: beside this Python, or on PATH")
    arguments = parser.parse_args()
    beside = Path(sys.executable).with_name("buf")
    buf = arguments.buf or (str(beside) if beside.exists() else shutil.which("buf"))
    if buf is None:
        sys.stderr.write("buf is missing: pip install buf-bin\n")
        return 2
    stale = []
    envoy = (HERE / "envoy.yaml").read_text()
    written = {**built(buf, public_rpcs()), WITH_ACCESS: with_access(envoy).encode()}
    for name, content in written.items():
        path = HERE / name
        if path.exists() and _ours(name, path.read_bytes()) == _ours(name, content):
            continue
        stale.append(name)
        if not arguments.check:
            path.write_bytes(content)
    if arguments.check and stale:
        sys.stderr.write(f"deploy/edge: {', '.join(stale)} stale: run deploy/edge/build.py\n")
        return 1
    sys.stdout.write(f"deploy/edge: {'written: ' + ', '.join(stale) if stale else 'up to date'}\n")
    return 0


def built(buf: str, public: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """Return the content of each file, by its name, for RPCs given as `public_rpcs` does."""
    files = _image(buf)
    _add_rules(files, public)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return {
        DESCRIPTORS: files.SerializeToString(deterministic=True),
        SCHEMA: _schema(pool, public).encode(),
    }


def _ours(name: str, content: bytes) -> bytes:
    """Return the part that is ours: files of others come with the versions of installed wheels."""
    if name != DESCRIPTORS:
        return content
    files = descriptor_pb2.FileDescriptorSet.FromString(content)
    ours = (file for file in files.file if file.name.startswith("harken/"))
    return descriptor_pb2.FileDescriptorSet(file=ours).SerializeToString(deterministic=True)


def public_rpcs() -> list[tuple[str, str]]:
    """Return service (full name) and method of each public RPC, in the order of the list."""
    lines = (line.strip() for line in (HERE / "public_rpcs.txt").read_text().splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    return [(service, method) for service, _, method in (name.partition("/") for name in names)]


def http_path(method: str) -> str:
    """Return the HTTP path of a method: RecordEvents -> /v1/record-events."""
    return "/v1/" + re.sub(r"(?<!^)(?=[A-Z])", "-", method).lower()


def with_access(envoy: str) -> str:
    """Return envoy.yaml of an edge that lets in who shows a token or a key, and shows the services
    a certificate of its own: with access/parts where they belong.

    Raises:
        ValueError: the file is not as it was when this was written.

    """
    made = envoy
    for name, line in _PARTS.items():
        made = _before(line, _part(name), made)
    for service in _CLUSTERS:
        head, found, cluster = made.partition(f"    - name: {service}\n")
        part = _part("upstream").replace("SERVICE", service)
        made = head + found + _before("      connect_timeout: 1s\n", part, cluster)
    return f"# Made of ../envoy.yaml and parts/ by build.py; do not edit.\n{made}"


def _part(name: str) -> str:
    return (HERE / "access/parts" / f"{name}.yaml").read_text()


def _before(line: str, part: str, text: str) -> str:
    """Return a text with a part before the first place where a line begins so."""
    head, found, tail = text.partition(line)
    if not found:
        raise ValueError(f"not in envoy.yaml: {line.strip()}")
    return head + part + found + tail


def _image(buf: str) -> descriptor_pb2.FileDescriptorSet:
    """Return our protos and all they import, imports first, with what errors are made of."""
    command = [buf, "build", str(ROOT / "protos"), "--as-file-descriptor-set"]
    command += ["--exclude-source-info", "-o", "-#format=binpb"]
    ours = descriptor_pb2.FileDescriptorSet.FromString(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    files = descriptor_pb2.FileDescriptorSet()
    known: set[str] = set()
    for module in (status_pb2, error_details_pb2):
        _add_with_imports(files, module.DESCRIPTOR, known)
    files.file.extend(file for file in ours.file if file.name not in known)
    return files


def _add_with_imports(
    files: descriptor_pb2.FileDescriptorSet, file: FileDescriptor, known: set[str]
) -> None:
    if file.name in known:
        return
    for imported in file.dependencies:
        _add_with_imports(files, imported, known)
    known.add(file.name)
    file.CopyToProto(files.file.add())


def _add_rules(files: descriptor_pb2.FileDescriptorSet, public: Iterable[tuple[str, str]]) -> None:
    missing = set(public)
    for file in files.file:
        for service in file.service:
            for method in service.method:
                name = (f"{file.package}.{service.name}", method.name)
                if name not in missing:
                    continue
                missing.discard(name)
                rule = http_pb2.HttpRule(post=http_path(method.name), body="*")
                method.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    if missing:
        raise SystemExit(f"public_rpcs.txt names RPCs that are not in protos/: {sorted(missing)}")


def _schema(pool: descriptor_pool.DescriptorPool, public: Iterable[tuple[str, str]]) -> str:
    lines = ["-- Made by deploy/edge/build.py from protos/. Do not edit.", "return {"]
    lines.append("  requests = {")
    waiting: list[Descriptor] = []
    for service, method in public:
        request = pool.FindServiceByName(service).methods_by_name[method].input_type
        waiting.append(request)
        lines.append(f'    ["{http_path(method)}"] = "{request.full_name}",')
    lines += ["  },", "  messages = {"]
    done: set[str] = set()
    while waiting:
        message = waiting.pop(0)
        if message.full_name in done:
            continue
        done.add(message.full_name)
        lines.append(f'    ["{message.full_name}"] = {{')
        for field in message.fields:
            value = _value_field(field)
            lines.append(f"      {_field(field)},")
            if value.message_type is not None and value.message_type.full_name not in _WELL_KNOWN:
                waiting.append(value.message_type)
        lines.append("    },")
    return "\n".join([*lines, "  },", "}", ""])


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _value_field(field: FieldDescriptor) -> FieldDescriptor:
    """Return the field itself, or of a map the field of its values."""
    if not _is_map(field):
        return field
    assert field.message_type is not None
    return field.message_type.fields_by_name["value"]


def _field(field: FieldDescriptor) -> str:
    """Return a line of the schema: names as JSON and protos spell them, shape, kind."""
    shape = "map" if _is_map(field) else "list" if field.is_repeated else "one"
    value = _value_field(field)
    parts = [f'"{field.json_name}"', f'"{field.name}"', f'"{shape}"', f'"{_kind(value)}"']
    if value.enum_type is not None:
        names = ", ".join(f"{each.name} = {each.number}" for each in value.enum_type.values)
        parts.append(f"{{ {names} }}")
    elif value.message_type is not None and _kind(value) == "message":
        parts.append(f'"{value.message_type.full_name}"')
    return f"{{ {', '.join(parts)} }}"


def _kind(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return _WELL_KNOWN.get(field.message_type.full_name, "message")
    if field.enum_type is not None:
        return "enum"
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "bool"
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "string"
    return "number" if field.cpp_type in _FLOATS else "integer"


if __name__ == "__main__":
    sys.exit(main())
