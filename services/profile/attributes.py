"""Attributes of a user, as google.protobuf.Struct: how updates change them, how they are stored."""

import json
from collections.abc import Sequence

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct, Value

from services.common.errors import FieldViolation, InvalidRequestError
from services.profile.domain import attribute_rules as rules


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


def updated(stored: Struct, given: Struct, paths: Sequence[str]) -> Struct:
    """Return the attributes after an update with a mask; no path means "attributes".

    Raises:
        InvalidRequestError: they would be larger than 64 KiB.

    """
    result = Struct()
    if rules.replaces_all(paths):
        result.CopyFrom(given)
    else:
        result.CopyFrom(stored)
        for path in paths:
            key = rules.named_attribute(path)
            if key in given.fields:
                result.fields[key].CopyFrom(given.fields[key])
            else:
                result.fields.pop(key, None)
    if fault := rules.size_fault(result.ByteSize()):
        raise InvalidRequestError([FieldViolation("profile.attributes", fault)])
    return result


def to_json(attributes: Struct) -> str:
    """Return attributes as JSON text."""
    return json.dumps(json_format.MessageToDict(attributes))


def from_json(text: str) -> Struct:
    """Return the attributes that JSON text holds."""
    return json_format.Parse(text, Struct())


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
