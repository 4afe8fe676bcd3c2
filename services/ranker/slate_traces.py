"""The last stage of a traced event: the first slate of its user that reflects it."""

import time
from collections import OrderedDict

from services.common.pipeline_latency import VISIBLE
from services.common.tracing import EventTracer
from services.feed.entries import Entries, erased_among

SLATE = "slate"
_MOST_USERS = 1000
_MOST_EVENTS = 16


class SlateTraces:
    """Remembers, of traced events that were applied, whose next slate to look for."""

    def __init__(self, tracer: EventTracer) -> None:
        self._tracer = tracer
        self._waiting: OrderedDict[tuple[str, bytes], list[int]] = OrderedDict()

    def taken(self, entries: Entries) -> None:
        """Take note of the traced events of a stretch of the log."""
        for own in entries.tenants:
            if own.erased:
                gone = erased_among(own.erased, {user_key for _, user_key in self._waiting})
                for key in [key for key in self._waiting if key[1] in gone]:
                    del self._waiting[key]
            for event in own.events.rows():
                if self._tracer.follows(event.sequence):
                    self._wait(own.tenant, own.user_keys[event.user], event.sequence)

    def served(
        self, tenant: str, user_key: bytes, began: float, slate_id: str, caller: str
    ) -> None:
        """Say that a slate is about to be answered: it reflects what was applied before."""
        for sequence in self._waiting.pop((tenant, user_key), ()):
            self._tracer.span(
                SLATE, sequence, began, time.time(), VISIBLE, caller, {"harken.slate_id": slate_id}
            )

    def _wait(self, tenant: str, user_key: bytes, sequence: int) -> None:
        events = self._waiting.setdefault((tenant, user_key), [])
        if len(events) < _MOST_EVENTS:
            events.append(sequence)
        if len(self._waiting) > _MOST_USERS:
            self._waiting.popitem(last=False)
