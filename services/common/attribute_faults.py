"""Attributes of a user: what they may hold, wherever they come in."""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct, Value

from services.common.request_limits import MAX_STRUCT_BYTES

MAX_DEPTH = 20
"""Of objects and lists within each other, the attributes themselves among them. Each takes up to
three levels of messages, and parsers take a hundred: what a request may just hold, nobody could
read in a longer answer, nor the profiles of others beside it."""


def attributes_fault(given: Struct) -> str | None:
    """Return why attributes cannot be stored, or None."""
    # Before they are walked; with a mask, what it does not name counts too.
    if fault := size_fault(given.ByteSize()):
        return fault
    try:
        plain = json_format.MessageToDict(given)
        text = json.dumps(plain)
    except ValueError:
        return "holds a number that is NaN or infinite"
    except json_format.SerializeToJsonError as error:
        return str(error)
    if _is_deeper(plain, MAX_DEPTH):
        return f"nests objects and lists more than {MAX_DEPTH} deep"
    if "\\u0000" in text and _holds_zero_character(given):
        return "holds a zero character"
    return None


def size_fault(size: int) -> str | None:
    """Return what is wrong with attributes of `size` bytes as an encoded Struct, or None."""
    return f"would be {size} bytes, at most {MAX_STRUCT_BYTES}" if size > MAX_STRUCT_BYTES else None


def _is_deeper(value: Any, most: int) -> bool:
    """Return whether a plain value holds more than `most` objects and lists within each other."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_is_deeper(one, most - 1) for one in inner)


def _holds_zero_character(struct: Struct) -> bool:
    return any("\0" in key or _has_zero(value) for key, value in struct.fields.items())


def _has_zero(value: Value) -> bool:
    match value.WhichOneof("kind"):
        case "string_value":
            return "\0" in value.string_value
        case "struct_value":
            return _holds_zero_character(value.struct_value)
        case "list_value":
            return any(_has_zero(element) for element in value.list_value.values)
        case _:
            return False
