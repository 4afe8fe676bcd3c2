"""Checks of what is asked of surfaces."""

from collections.abc import Collection

from harken.feedback.v1 import surface_pb2 as pb
from services.common.surfaces.config_checks import check_config
from services.common.validation import Checks
from services.feedback.documents.document_checks import check_known, check_note


def check_surface(checks: Checks, surface: pb.Surface, sources: Collection[str]) -> None:
    """Check a surface to be put."""
    checks.name("surface.name", surface.name)
    check_note(checks, "surface.note", surface.note)
    if surface.HasField("config"):
        check_known(checks, "surface.config", surface.config)
        check_config(checks, "surface.config", surface.config, sources)
    else:
        checks.fail("surface.config", "is required; an empty one is as none")
