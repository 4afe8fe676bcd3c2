"""Event ids for histories that have none."""

import hashlib
from collections import OrderedDict

_REMEMBERED = 200_000


class EventIds:
    """Makes ids from what an event says, so that the same history always gets the same ids.

    Equal events are told apart by counting them. To bound memory, the last 200,000 distinct events
    are remembered; equal ones further apart than that count as one event.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._remembered = remembered

    def next_id(
        self, subject: str, item: str, event_type: str, time_us: int | None, value: float | None
    ) -> str:
        """Return the id of the next event that says this; 32 hexadecimal digits."""
        said = "\x00".join((subject, item, event_type, str(time_us), repr(value))).encode()
        key = hashlib.blake2b(said, digest_size=16).digest()
        occurrence = self._counts.pop(key, 0) + 1
        self._counts[key] = occurrence
        if len(self._counts) > self._remembered:
            self._counts.popitem(last=False)
        if occurrence == 1:
            return key.hex()
        return hashlib.blake2b(key + str(occurrence).encode(), digest_size=16).hexdigest()
