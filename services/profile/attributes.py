"""Attributes of a user: how an update changes them, their limits, and how they are stored."""

import json
from collections.abc import Sequence

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct, Value

from services.common.errors import FieldViolation, InvalidRequestError

MAX_BYTES = 64 * 1024
"""Size of all attributes of a user, as an encoded google.protobuf.Struct."""

_ALL = "attributes"
_ONE = "attributes."


def attributes_fault(given: Struct) -> str | None:
    """Return why attributes cannot be stored, or None."""
    try:
        text = json.dumps(json_format.MessageToDict(given))
    except ValueError:
        return "holds a number that is NaN or infinite"
    except json_format.SerializeToJsonError as error:
        return str(error)
    if "\\u0000" in text and _holds_zero_character(given):
        return "holds a zero character"
    return None


def mask_fault(path: str) -> str | None:
    """Return what is wrong with a path of an update mask, or None."""
    if path == _ALL or (path.startswith(_ONE) and len(path) > len(_ONE)):
        return None
    return 'must be "attributes" or "attributes." with a name'


def updated(stored: Struct, given: Struct, paths: Sequence[str]) -> Struct:
    """Return the attributes after an update with a mask; no path means "attributes".

    Raises:
        InvalidRequestError: they would be larger than 64 KiB.

    """
    result = Struct()
    if not paths or _ALL in paths:
        result.CopyFrom(given)
    else:
        result.CopyFrom(stored)
        for path in paths:
            key = path.removeprefix(_ONE)
            if key in given.fields:
                result.fields[key].CopyFrom(given.fields[key])
            else:
                result.fields.pop(key, None)
    size = result.ByteSize()
    if size > MAX_BYTES:
        raise InvalidRequestError(
            [FieldViolation("profile.attributes", f"would be {size} bytes, at most {MAX_BYTES}")]
        )
    return result


def to_json(attributes: Struct) -> str:
    """Return attributes as JSON text."""
    return json.dumps(json_format.MessageToDict(attributes))


def from_json(text: str) -> Struct:
    """Return the attributes that JSON text holds."""
    return json_format.Parse(text, Struct())


def etag_of(revision: int) -> str:
    """Return the etag of a revision; empty when no attribute was ever set."""
    return f"{revision:x}" if revision else ""


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
