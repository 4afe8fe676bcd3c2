"""Event ids for histories that have none."""

import hashlib
from collections import OrderedDict

from services.dataset.history.event_batch import NO_TIME, EventBatch

_REMEMBERED = 200_000
_UNSIGNED = 2**63


class EventIds:
    """Makes ids from what an event says, so that the same history always gets the same ids.

    32 hexadecimal digits: 16 of the event's time and 16 of a hash of all else, so that ids of a
    history ascend, which is what indexes of databases are fast with. Without a time, all are of the
    hash.

    Equal events are told apart by counting them: exactly, when they come in order of time. Of
    events without times the last 200,000 distinct ones are remembered; equal ones further apart
    than that count as one event.
    """

    def __init__(self, line_ids: bool = False, remembered: int = _REMEMBERED) -> None:
        """Make ids where there are none, with `line_ids` for every event."""
        self._line_ids = line_ids
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._remembered = remembered
        self._time_us = NO_TIME

    def of(self, batch: EventBatch) -> list[str]:
        """Return the ids [n] of the next events."""
        given = batch.event_ids
        if given is not None and not self._line_ids and all(given):
            return list(given)
        ids = []
        rows = zip(
            batch.users, batch.sessions, batch.items, batch.types,
            batch.times_us.tolist(), batch.values.tolist(), given or [""] * len(batch),
            strict=True,
        )  # fmt: skip
        for user, session, item, kind, time_us, value, own in rows:
            if own and not self._line_ids:
                ids.append(own)
                continue
            subject = f"u:{user}" if user else f"s:{session}"
            time = "None" if time_us == NO_TIME else str(time_us)
            # NaN is no value.
            said = f"{subject}\x00{item}\x00{kind}\x00{time}\x00{value if value == value else None}"
            ids.append(self._id(f"{said}\x00{own}" if own else said, time_us))
        return ids

    def _id(self, said: str, time_us: int) -> str:
        if time_us != self._time_us:
            # In order of time, what was said at another time is not said again.
            self._time_us = time_us
            self._counts.clear()
        key = hashlib.blake2b(said.encode(), digest_size=16).digest()
        occurrence = self._counts.pop(key, 0) + 1
        self._counts[key] = occurrence
        if len(self._counts) > self._remembered:
            self._counts.popitem(last=False)
        if occurrence > 1:
            key = hashlib.blake2b(key + str(occurrence).encode(), digest_size=16).digest()
        if time_us == NO_TIME:
            return key.hex()
        return f"{time_us + _UNSIGNED:016x}{key[:8].hex()}"
