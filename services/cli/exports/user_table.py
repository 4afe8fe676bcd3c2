"""Attributes of users and sessions as rows."""

from typing import Any

from google.protobuf import struct_pb2

from harken.profile.v1 import profile_pb2
from services.cli.exports.table_writer import Column, Kind, Row

COLUMNS = (Column("user"), Column("session"), Column("attributes", Kind.JSON))

_EXACT = 2.0**53


def user_row(profile: profile_pb2.Profile) -> Row:
    """Return the row of a profile; its subject is in one of the columns user and session."""
    return (
        profile.subject.user_id or None,
        profile.subject.session_id or None,
        _plain_struct(profile.attributes),
    )


def _plain_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    return {name: _plain(value) for name, value in sorted(struct.fields.items())}


def _plain(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            # Whole numbers as such, but for those that other readers have no integer for.
            return int(number) if number.is_integer() and abs(number) < _EXACT else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return _plain_struct(value.struct_value)
        case "list_value":
            return [_plain(one) for one in value.list_value.values]
        case _:
            return None
