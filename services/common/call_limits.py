"""Beyond what calls are shed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What a process takes on; all of it may change while it runs."""

    in_flight: int
    """Unary RPCs at once, waiting or working."""
    queue_seconds: float
    """A burst: how long a call may wait for its turn."""
    standing_seconds: float = 0.1
    """The same once calls have been waiting for long: who comes later is shed at once."""
    waiters: int = 256
    """RPCs that wait for a position: these are not working, and not in `in_flight`."""
    streams: int = 100
    """Streams open at once, for each RPC."""
    peer_streams: int = 50
    """The same, from one address."""
    caller_streams: int = 50
    """The same, of one caller who is known; our own services have what they need."""
