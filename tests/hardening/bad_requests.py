"""Requests that no server may take, made from the descriptors: every field of every RPC."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from harken.feedback.v1 import (
    catalog_service_pb2,
    embedding_service_pb2,
    experiment_service_pb2,
    feedback_service_pb2,
    generation_service_pb2,
    surface_service_pb2,
)
from harken.internal.facts.v1 import user_fact_service_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from tests.faults import fields_of

FILES = {
    "feedback": (
        catalog_service_pb2, embedding_service_pb2, feedback_service_pb2, generation_service_pb2,
        surface_service_pb2, experiment_service_pb2, user_fact_service_pb2,
    ),
    "profile": (profile_service_pb2,),
    "ranker": (ranker_service_pb2,),
}  # fmt: skip
_LONG = 3 * 1024 * 1024, 10 * 1024 * 1024
_FEW, _MANY = 500_000, 1_500_000
_LENGTH, _VARINT = 2, 0
_WIRE = {
    FieldDescriptor.TYPE_DOUBLE: 1, FieldDescriptor.TYPE_FIXED64: 1,
    FieldDescriptor.TYPE_SFIXED64: 1, FieldDescriptor.TYPE_FLOAT: 5,
    FieldDescriptor.TYPE_FIXED32: 5, FieldDescriptor.TYPE_SFIXED32: 5,
    FieldDescriptor.TYPE_STRING: _LENGTH, FieldDescriptor.TYPE_BYTES: _LENGTH,
    FieldDescriptor.TYPE_MESSAGE: _LENGTH,
}  # fmt: skip
_ZERO = {0: b"\0", 1: b"\0" * 8, 2: b"\0", 5: b"\0" * 4}
_UNKNOWN = b"\xfa\x01"
"""The tag of field 31, with a length: no message of ours has it."""
_MIB = 1024 * 1024
_MOST_BODY = {"feedback": 16 * _MIB, "profile": 4 * _MIB, "ranker": 4 * _MIB}
_ROOM = 1024
_OURS = re.compile(r"\b[A-Z]\w+(Error|Exception)\b|_pb2|Traceback")
"""Names of ours, which tell a caller nothing."""


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A body that is refused; `field` is what the answer names, None when it cannot be decoded."""

    service: str
    method: MethodDescriptor
    what: str
    field: str | None
    body: bytes

    @property
    def path(self) -> str:
        """The method as it is called."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"


def bad_requests(drawn: random.Random) -> Iterator[BadRequest]:
    """Make one of each kind for every field of every RPC."""
    for service, files in FILES.items():
        for file in files:
            for described in file.DESCRIPTOR.services_by_name.values():
                for method in described.methods:
                    most = _MOST_BODY[service] - _ROOM
                    for what, field, body in _bodies(method.input_type, most, drawn):
                        yield BadRequest(service, method, what, field, body)


def _bodies(
    request: Descriptor, most: int, drawn: random.Random
) -> Iterator[tuple[str, str | None, bytes]]:
    yield "noise", None, b"\xff" * drawn.randint(1, 40)
    yield "cut", None, b"\x0a\x05ab"
    yield "large noise", None, b"\xff" * drawn.randint(100_000, 1_000_000)
    for fields in _paths(request, ()):
        for what, field, body in _of_field(fields, most, drawn):
            yield f"{what} {field or ''}", field, body


def _paths(
    message: Descriptor, before: Sequence[FieldDescriptor]
) -> Iterator[tuple[FieldDescriptor, ...]]:
    for field in message.fields:
        yield (*before, field)
        inner = field.message_type
        if inner is not None and not _is_struct(inner) and not inner.GetOptions().map_entry:
            yield from _paths(inner, (*before, field))


def _is_struct(message: Descriptor) -> bool:
    return message.full_name == "google.protobuf.Struct"


def _of_field(
    fields: Sequence[FieldDescriptor], most: int, drawn: random.Random
) -> Iterator[tuple[str, str | None, bytes]]:
    last = fields[-1]
    name = _name(fields)
    wire = _WIRE.get(last.type, _VARINT)
    tag = varint(last.number << 3 | wire)
    element = tag + _ZERO[wire]
    count = min(drawn.randint(_FEW, _MANY), (most - _ROOM) // len(element))
    yield "repeated", name, _nested(fields[:-1], element * count)
    if wire == _LENGTH and not (last.message_type and not _is_struct(last.message_type)):
        place = f"{name}[0]" if last.is_repeated else name
        shortest, longest = _LONG
        long = _field(last, b"x" * drawn.randint(shortest, min(longest, most - _ROOM)))
        yield "long", place, _nested(fields[:-1], long)
    if last.is_repeated and wire != _LENGTH:
        packed = _field(last, bytes(min(drawn.randint(_FEW, _MANY) * 8, most - _ROOM)))
        yield "packed", f"{name}[0]", _nested(fields[:-1], packed)
    if last.message_type and not last.is_repeated:
        # Unknown fields, which are merged as well.
        part = _field(last, _UNKNOWN + varint(40_000) + bytes(40_000))
        yield "in parts", name, _nested(fields[:-1], part * drawn.randint(2, 90))
    endless = varint(last.number << 3 | _VARINT) + b"\xff" * drawn.randint(_FEW, 2 * _MANY)
    yield "endless", None, _nested(fields[:-1], endless)
    if last.type == FieldDescriptor.TYPE_STRING:
        yield "not UTF-8", None, _nested(fields[:-1], _field(last, b"\xff\xfe"))
    yield "cut", None, _nested(fields[:-1], tag)


def _name(fields: Sequence[FieldDescriptor]) -> str:
    first = [f"{one.name}[0]" if one.is_repeated else one.name for one in fields[:-1]]
    return ".".join([*first, fields[-1].name])


def _nested(fields: Sequence[FieldDescriptor], content: bytes) -> bytes:
    for one in reversed(fields):
        content = _field(one, content)
    return content


def _field(field: FieldDescriptor, content: bytes) -> bytes:
    return varint(field.number << 3 | _LENGTH) + varint(len(content)) + content


def varint(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])


def call_of(channel: Any, bad: BadRequest) -> Any:
    """Return what calls the method of a request with its body; it answers bytes, or a stream."""
    kinds = (bad.method.client_streaming, bad.method.server_streaming)
    match kinds:
        case (False, False):
            return channel.unary_unary(bad.path)
        case (False, True):
            return channel.unary_stream(bad.path)
        case (True, False):
            return channel.stream_unary(bad.path)
        case _:
            return channel.stream_stream(bad.path)


async def surprise_of(channel: Any, bad: BadRequest, gzip: bool) -> str | None:
    """Send a request; return what was not as it should be, or None."""
    compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
    request: Any = iter([bad.body]) if bad.method.client_streaming else bad.body
    call = call_of(channel, bad)(request, timeout=30, compression=compression)
    try:
        if bad.method.server_streaming:
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        named = fields_of(error)
        wanted = set() if bad.field is None else {bad.field}
        if error.code() != grpc.StatusCode.INVALID_ARGUMENT:
            return f"{bad.path} {bad.what}: {error.code().name} {str(error.details())[:100]}"
        if named != wanted or _OURS.search(str(error.details())):
            return f"{bad.path} {bad.what}: names {named}, {str(error.details())[:100]}"
        return None
    return f"{bad.path} {bad.what}: taken"
