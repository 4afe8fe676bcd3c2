"""Surfaces: to and from documents."""

from harken.feedback.v1 import surface_pb2
from services.feedback.documents.stored_document import StoredDocument


def body_of(name: str, config: surface_pb2.SurfaceConfig) -> bytes:
    """Return what is stored and sent to rankers: name and configuration. The same configuration
    gives the same bytes; they are never empty.
    """
    body = surface_pb2.Surface(name=name, config=config)
    return body.SerializeToString(deterministic=True)


def surface_of(document: StoredDocument) -> surface_pb2.Surface:
    """Return a revision as clients see it; a deletion has no config."""
    surface = surface_pb2.Surface.FromString(document.body)
    surface.name = document.name
    surface.note = document.note
    surface.revision = document.revision
    surface.etag = document.etag
    surface.update_time.FromDatetime(document.time)
    return surface
