"""Events that name slates, held until their slate was read: pure, and bounded in number."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

MOST_HELD = 500_000
"""Events held: about 150 MiB."""


class TooManyOutcomesError(Exception):
    """More events within a window name slates than are held."""


class SlateEvent(NamedTuple):
    """An event that names a slate; times in unix microseconds, `value` None when absent."""

    accepted_at_us: int
    user_key: bytes
    item_id: str
    type: str
    value: float | None
    time_us: int


class SlateOutcomes:
    """Joins slates with the events that name them, as the learner does.

    Events are added in log order, slates are asked for in log order, each after all events that can
    be its outcomes were added. An event counts for a slate that it names, of the same user, on an
    item that it shows, from `early_us` before to `window_us` after the slate was logged.
    """

    def __init__(self, window_us: int, early_us: int, most: int = MOST_HELD) -> None:
        self._window_us = window_us
        self._early_us = early_us
        self._most = most
        self._events: dict[str, list[SlateEvent]] = {}
        self._order: deque[tuple[int, str]] = deque()
        self._taken: dict[str, int] = {}

    def add(self, slate_id: str, event: SlateEvent) -> None:
        """Hold an event.

        Raises:
            TooManyOutcomesError: too many are held.

        """
        if len(self._order) >= self._most:
            raise TooManyOutcomesError(f"more than {self._most} events of a window name slates")
        self._events.setdefault(slate_id, []).append(event)
        self._order.append((event.accepted_at_us, slate_id))

    def take(
        self, slate_id: str, user_key: bytes, item_ids: Sequence[str], accepted_at_us: int
    ) -> list[tuple[int, SlateEvent]] | None:
        """Return the outcomes of a slate with their places, from 0, in log order.

        None: the slate was taken before.
        """
        self._forget(accepted_at_us - self._early_us)
        if slate_id in self._taken:
            return None
        self._taken[slate_id] = accepted_at_us
        places = {item_id: place for place, item_id in enumerate(item_ids)}
        return [
            (places[event.item_id], event)
            for event in self._events.get(slate_id, ())
            if event.user_key == user_key
            and event.item_id in places
            and event.accepted_at_us < accepted_at_us + self._window_us
        ]

    def _forget(self, before_us: int) -> None:
        """Let go of what no slate from now on can ask for."""
        while self._order and self._order[0][0] < before_us:
            _, slate_id = self._order.popleft()
            held = self._events[slate_id]
            held.pop(0)
            if not held:
                del self._events[slate_id]
        # A slate is sent again within minutes of being served, or never.
        while self._taken:
            slate_id, taken_at_us = next(iter(self._taken.items()))
            if taken_at_us >= before_us - RESENT_US:
                break
            del self._taken[slate_id]


RESENT_US = 11 * 60 * 1_000_000
"""How long after a slate was logged it may be logged again: it has to be of within five minutes of
now each time, and clocks of the store and of feedback differ."""
