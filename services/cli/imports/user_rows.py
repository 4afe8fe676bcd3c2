"""Rows as attributes of users."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2
from services.dataset.cells import text_of
from services.dataset.columns import ColumnError, require_column
from services.dataset.row_fault import RowFaultError
from services.dataset.table_file import Row


@dataclass(frozen=True, slots=True)
class UserColumns:
    """The column of user ids, and those that become attributes of the same name."""

    user: str
    attributes: Sequence[str]


def user_columns(
    columns: Sequence[str], user: str | None, attributes: Sequence[str] | None
) -> UserColumns:
    """Return the columns; without `attributes` all but the user's are attributes.

    Raises:
        ColumnError: there is no column of ids, or a column given is not there.

    """
    user_column = require_column("user", columns, user)
    if attributes is None:
        return UserColumns(user_column, [name for name in columns if name != user_column])
    wanted = [name.strip().lower() for name in attributes]
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise ColumnError(f"there is no column {missing[0]!r}; the file has: {', '.join(columns)}")
    return UserColumns(user_column, wanted)


def profile_of(row: Row, columns: UserColumns) -> profile_pb2.Profile:
    """Return the profile, with attributes only, that a row says. Empty cells are left out.

    Raises:
        RowFaultError: there is no user, or an attribute is no JSON value.

    """
    user = text_of(row.cells.get(columns.user))
    if not user:
        raise RowFaultError("MISSING_SUBJECT", "no user is given")
    attributes = struct_pb2.Struct()
    for column in columns.attributes:
        value = _attribute(row.cells.get(column))
        if value is None:
            continue
        try:
            attributes[column] = value
        except (ValueError, TypeError) as error:
            raise RowFaultError("INVALID_VALUE", f"{column}: {error}") from None
    return profile_pb2.Profile(subject=subject_pb2.Subject(user_id=user), attributes=attributes)


def _attribute(cell: object) -> Any:
    """Return a value for JSON: text becomes a number only when nothing is lost by it."""
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    # "02139" is a code, not a number, and so is what a float cannot hold exactly.
    exact = math.isfinite(number) and text in (repr(number), f"{number:.0f}")
    return number if exact else text
