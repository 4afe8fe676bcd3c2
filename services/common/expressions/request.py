"""What expressions see of a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, in which context, and when."""

    user: Mapping[str, Any] = field(default_factory=dict)
    """`user`: attributes by name. Values are texts, numbers, truth values, lists, mappings of
    these, or None, as in JSON, whose numbers are floats."""
    context: Mapping[str, str] = field(default_factory=dict)
    """`context`: texts by key."""
    now_us: int = 0
    """`now`: microseconds since 1970, in the years 1 to 9999."""
