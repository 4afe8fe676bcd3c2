"""Attributes of users, as expressions read them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value

Attributes = Mapping[str, Any]
NO_ATTRIBUTES: Attributes = MappingProxyType({})


def attributes_of(struct: Struct) -> Attributes:
    """Return texts, truth values, None, lists and mappings; whole numbers as ints, as in JSON."""
    return {name: _value(value) for name, value in struct.fields.items()}


def encoded_attributes(serialised: bytes) -> Attributes:
    """Return the attributes of a serialised Struct, as `attributes_of`."""
    return attributes_of(Struct.FromString(serialised))


def _value(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return attributes_of(value.struct_value)
        case "list_value":
            return _values(value.list_value)
        case _:
            return None


def _values(listed: ListValue) -> list[Any]:
    return [_value(one) for one in listed.values]
