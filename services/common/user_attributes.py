"""Attributes of users as plain values: what expressions read, and exports write."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

Attributes = Mapping[str, Any]
NO_ATTRIBUTES: Attributes = MappingProxyType({})
_EXACT = 2.0**53


def attributes_of(struct: Struct) -> Attributes:
    """Return texts, truth values, None, lists and mappings, in order of their names.

    Whole numbers are ints, but for those that other readers of JSON have no integer for.
    """
    return {name: _value(value) for name, value in sorted(struct.fields.items())}


def encoded_attributes(serialised: bytes) -> Attributes:
    """Return the attributes of a serialised Struct, as `attributes_of`."""
    return attributes_of(Struct.FromString(serialised))


def _value(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) < _EXACT else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return attributes_of(value.struct_value)
        case "list_value":
            return [_value(one) for one in value.list_value.values]
        case _:
            return None
