"""Beyond what calls are shed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Unary RPCs at once, and seconds that one may wait for its turn."""

    in_flight: int
    queue_seconds: float
