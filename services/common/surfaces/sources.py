"""The sources of candidates that there are, by the names that surfaces call them."""

from services.common import candidate_features

BASE = candidate_features.SOURCES
TRENDING, NEW, SIMILAR, GIVEN = "trending", "new", "similar", "given"
SOURCES: tuple[str, ...] = (*BASE, TRENDING, NEW, SIMILAR, GIVEN)
"""Those that every slate has, and those that a surface asks for or a caller gives."""
