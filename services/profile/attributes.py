"""Attributes of a user, as google.protobuf.Struct: how updates change them, how they are stored."""

import json
from collections.abc import Sequence

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from services.common.attribute_faults import size_fault
from services.common.errors import FieldViolation, InvalidRequestError
from services.profile.domain import attribute_rules as rules


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
        # Each once: what is copied stays in memory until the message is gone.
        for key in rules.named_attributes(paths):
            if key in given.fields:
                result.fields[key].CopyFrom(given.fields[key])
            else:
                result.fields.pop(key, None)
    if fault := size_fault(result.ByteSize()):
        raise InvalidRequestError([FieldViolation("profile.attributes", fault)])
    return result


def to_json(attributes: Struct) -> str:
    """Return attributes as JSON text."""
    return json.dumps(json_format.MessageToDict(attributes))


def from_json(text: str) -> Struct:
    """Return the attributes that JSON text holds."""
    return json_format.Parse(text, Struct())
