"""Surfaces as JSON, as files hold them: names of fields are those of surface.proto."""

import json
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict

from harken.feedback.v1 import surface_pb2
from services.cli.document_file import read_document

_MAPS = ("outcome_weights", "seen")


class SurfaceFile(NamedTuple):
    """What a file holds. path: the field of a request that the file is, for messages."""

    surface: surface_pb2.Surface
    path: str


def read_surface(file: str, name: str | None) -> SurfaceFile:
    """Return the surface that a file holds: all of it, as `harken surface get` prints it, or its
    configuration alone.

    Arguments and faults as read_document.
    """
    surface = surface_pb2.Surface()
    whole = read_document(file, name, surface)
    return SurfaceFile(surface, "surface" if whole else "surface.config")


def surface_text(surface: surface_pb2.Surface) -> str:
    """Return all of a surface, as `read_surface` reads it."""
    whole: dict[str, Any] = MessageToDict(surface, preserving_proto_field_name=True)
    whole.pop("config", None)
    if surface.HasField("config"):
        whole = {"name": whole.pop("name"), "config": _config(surface.config), **whole}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def config_text(config: surface_pb2.SurfaceConfig) -> str:
    """Return a configuration; the same one is the same text."""
    return json.dumps(_config(config), indent=2, ensure_ascii=False)


def surface_line(surface: surface_pb2.Surface) -> str:
    """Return all of a surface as one line."""
    return json.dumps(json.loads(surface_text(surface)), ensure_ascii=False)


def _config(config: surface_pb2.SurfaceConfig) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(config, preserving_proto_field_name=True)
    # Those of messages come in any order.
    return {
        name: dict(sorted(value.items())) if name in _MAPS else value
        for name, value in found.items()
    }
