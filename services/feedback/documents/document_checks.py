"""Checks of what is asked of documents of any kind."""

from typing import TypeVar

from google.protobuf.message import Message

from services.common.page_token import decode_page_token
from services.common.validation import Checks

_MAX_NOTE_BYTES = 512
_MAX_REVISION = 2**63 - 1

Config = TypeVar("Config", bound=Message)


def check_note(checks: Checks, field: str, note: str) -> None:
    """Check a note."""
    if len(note.encode()) > _MAX_NOTE_BYTES:
        checks.fail(field, f"is longer than {_MAX_NOTE_BYTES} bytes")
    elif "\0" in note:
        checks.fail(field, "holds a null character")


def check_revision(checks: Checks, revision: int, required: bool = False) -> None:
    """Check the number of a revision; 0 stands for none."""
    if required and not revision:
        checks.fail("revision", "is required")
    elif revision > _MAX_REVISION:
        checks.fail("revision", f"must be at most {_MAX_REVISION:,}")


def revision_of_token(checks: Checks, token: str) -> int:
    """Return the revision that a page goes on below; 0 for the first page."""
    text = decode_page_token(checks, token, len(str(_MAX_REVISION)))
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and int(text) <= _MAX_REVISION):
        checks.fail("page_token", "is not a token of a previous page")
        return 0
    return int(text)


def check_known(checks: Checks, field: str, config: Config) -> None:
    """Refuse what a newer client says and we do not understand, instead of serving without it."""
    known = type(config)()
    known.CopyFrom(config)
    known.DiscardUnknownFields()
    if known.ByteSize() != config.ByteSize():
        checks.fail(field, "holds fields that this release does not know")
