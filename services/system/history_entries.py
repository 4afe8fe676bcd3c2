"""Events and items of a history as log entries."""

from collections.abc import Iterable, Mapping
from typing import Self

from harken.feedback.v1 import item_pb2
from services.common.content_features import Content, content_features
from services.common.item_content import content_of, item_with
from services.dataset.history.event_file import SESSION_PREFIX
from services.feedback.learner.model.entries import Event, ItemUpserted, Kind
from services.system.timeline import Ints, Timeline


class HistoryEntries:
    """Makes entries as the feedback service does of the same history.

    An item whose content is not known is one with nothing but its id, as `--create-items` makes it,
    and comes into the catalogue just before its first event.
    """

    def __init__(self, timeline: Timeline, contents: Mapping[str, Content]) -> None:
        self._timeline = timeline
        self.contents = contents
        self._there: set[int] = set()
        self.keys = [user_key(user_id) for user_id in timeline.events.user_ids]

    def _item(self, item_id: str) -> ItemUpserted:
        content = self.contents.get(item_id) or Content(item_id)
        payload = item_with(content).SerializeToString()
        return ItemUpserted(item_id, payload, content_features(content))

    def features_of(self, payload: bytes) -> dict[str, float]:
        """Return the content features of an item, given its payload."""
        return content_features(content_of(item_pb2.Item.FromString(payload)))

    def copy(self) -> Self:
        """Return one that goes on from here by itself."""
        other = type(self)(self._timeline, self.contents)
        other._there = set(self._there)
        return other

    def listed(self) -> list[Kind]:
        """Return the items that are there from the beginning."""
        return self._bring(range(self._timeline.listed))

    def _bring(self, items: Iterable[int]) -> list[Kind]:
        new = [item for item in dict.fromkeys(items) if item not in self._there]
        self._there.update(new)
        return [self._item(self._timeline.item_ids[item]) for item in new]

    def of(self, events: Ints) -> list[Kind]:
        """Return events as entries, after those of the items that they bring."""
        columns = self._timeline.events
        items = columns.items[events].tolist()
        entries = self._bring(items)
        entries += [
            Event(self.keys[user], columns.item_ids[item], columns.types[kind], value, time, weight)
            for user, item, kind, value, time, weight in zip(
                columns.users[events].tolist(),
                items,
                columns.kinds[events].tolist(),
                columns.values[events].tolist(),
                columns.times_us[events].tolist(),
                self._timeline.weights[events].tolist(),
                strict=True,
            )
        ]
        return entries


def user_key(user_id: str) -> bytes:
    """Return the stored key of a user or session, as services/common/user_key.py makes it."""
    if user_id.startswith(SESSION_PREFIX):
        return b"s:" + user_id.removeprefix(SESSION_PREFIX).encode()
    return b"u:" + user_id.encode()
