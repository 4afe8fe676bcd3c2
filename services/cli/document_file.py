"""What is configured by name, as JSON files hold it: surfaces, experiments."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from harken.feedback.v1 import experiment_pb2, surface_pb2
from services.cli.console import messages
from services.cli.document_shape import shaped
from services.cli.failures import CommandError
from services.common.status import violations_of

STANDARD_INPUT = "-"
_MORE = re.compile(r"; (and [0-9,]+ more)$")
"""How a message ends when not all faults are named."""
_WAY = re.compile(r"^(Failed to parse [a-z0-9_]+ field: )+(?=.* at )")
"""Where the rest names the place."""

_M = TypeVar("_M", bound=Message)

Document = surface_pb2.Surface | experiment_pb2.Experiment


def read_document(file: str, name: str | None, document: Document) -> bool:
    """Read a document from a file: all of it, or its configuration alone; return whether all.

    `name`: default: what the file says, or else what it is called. STANDARD_INPUT may be read, too.

    Raises:
        CommandError: it holds neither; the message says what is wrong and where.

    """
    found = _read_object(file)
    whole = "config" in found
    _fill(file, found, document if whole else document.config)
    # An empty configuration is one.
    document.config.SetInParent()
    called = "" if file == STANDARD_INPUT else Path(file).stem
    document.name = name or document.name or called
    if not document.name:
        raise CommandError("whose configuration is it? Say --name")
    return whole


def read_message(file: str, message: _M) -> _M:
    """Fill a message from a JSON file, or from STANDARD_INPUT, and return it.

    Raises:
        CommandError: it holds none; the message says what is wrong and where.

    """
    _fill(file, _read_object(file), message)
    return message


def _read_object(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else Path(file).read_text("utf-8")
        found = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CommandError(f"{file}: is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CommandError(f"{file}: must be a JSON object")
    return found


def _fill(file: str, found: dict[str, Any], message: Message) -> None:
    faults: list[str] = []
    found = shaped(found, message.DESCRIPTOR, faults)
    if faults:
        raise CommandError("\n  ".join([f"{file}:", *faults]))
    try:
        ParseDict(found, message)
    except ParseError as error:
        raise CommandError(f"{file}: {_plain(str(error))}") from error


def _plain(fault: str) -> str:
    """Return a fault of the parser without the way that it took: "Failed to parse .. field: "."""
    return _WAY.sub("", fault).rstrip(".")


def say_warnings(warnings: Sequence[str], path: str) -> None:
    """Print what is most likely a typo in a document, a line each, with the names that fields have
    in a file that is `path` of the request.
    """
    for one in warnings:
        messages().print(f"warning: {one.removeprefix(path + '.')}", markup=False)


def refusal(error: grpc.aio.AioRpcError, what: str, path: str) -> CommandError | None:
    """Return what is wrong with a document that was refused, a line each, with the names that
    fields have in a file that is `path` of the request; None: it was something else.
    """
    faults = [
        f"{one.field.removeprefix(path + '.')}: {one.description}" for one in violations_of(error)
    ]
    if error.code() is not grpc.StatusCode.INVALID_ARGUMENT or not faults:
        return None
    more = _MORE.findall(error.details() or "")
    return CommandError("\n  ".join([f"{what}, nothing changed:", *faults, *more]))
