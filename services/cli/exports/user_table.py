"""Attributes of users and sessions as rows."""

from harken.profile.v1 import profile_pb2
from services.cli.exports.table_writer import Column, Kind, Row
from services.common.user_attributes import attributes_of

COLUMNS = (Column("user"), Column("session"), Column("attributes", Kind.JSON))


def user_row(profile: profile_pb2.Profile) -> Row:
    """Return the row of a profile; its subject is in one of the columns user and session."""
    return (
        profile.subject.user_id or None,
        profile.subject.session_id or None,
        attributes_of(profile.attributes),
    )
