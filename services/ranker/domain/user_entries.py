"""What a stretch of the log says of the users of one tenant, and how it changes their states."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from services.common.arrays import Ordinals
from services.common.consent import encoded_consent
from services.common.ranking.recent import RECENT
from services.common.runs import run_starts
from services.common.user_attributes import encoded_attributes
from services.feed.entries import EventColumns, EventRow, TenantEntries, erased_among
from services.ranker.domain.seen_items import SEEN, SeenKinds
from services.ranker.domain.user_state import PutVector, UserState

OrdinalsOf = Callable[[list[str]], Ordinals]


class UserEntries:
    """Events, retracted events and vectors of users, and who was erased.

    `users`: index by stored key. `through`: the sequence that the stretch ends with.
    """

    __slots__ = ("_entries", "through", "users")

    def __init__(self, entries: TenantEntries, through: int) -> None:
        self._entries = entries
        self.through = through
        self.users = {user_key: index for index, user_key in enumerate(entries.user_keys)}
        for erased in entries.erased:
            if erased.user_key:
                self.users.setdefault(erased.user_key, len(self.users))

    def erased(self, user_keys: Iterable[bytes]) -> set[bytes]:
        """Return which of some users were erased."""
        erasures = self._entries.erased
        return erased_among(erasures, user_keys) if erasures else set()

    def relinked(self) -> Iterable[bytes]:
        """Yield the keys of who becomes somebody else, by themselves again, or gets company."""
        keys = self._entries.user_keys
        for link in self._entries.links:
            yield keys[link.user]
            if link.into is not None:
                yield keys[link.into]

    def told_facts(self) -> Iterable[bytes]:
        """Yield the keys of who has other facts."""
        return (self._entries.user_keys[fact.user] for fact in self._entries.facts)

    def with_merged(self, users: Mapping[bytes, bytes]) -> "UserEntries":
        """Return the same with the events of merged users (keys) as those of whom they are."""
        if self.users.keys().isdisjoint(users):
            return self
        entries = self._entries
        keys = dict(self.users)
        indices = [keys.setdefault(users.get(key, key), len(keys)) for key in entries.user_keys]
        return UserEntries(
            entries._replace(
                user_keys=list(keys),
                events=_of_others(entries.events, indices),
                retracted=_of_others(entries.retracted, indices),
            ),
            self.through,
        )

    def apply(
        self, states: Mapping[int, UserState], ordinals: OrdinalsOf, kinds: SeenKinds
    ) -> Collection[int]:
        """Bring states, by index of their user, up to the end of the stretch.

        What a state reflects already changes nothing. Return whose state cannot be brought there,
        and was left as it is: it does not say which event led to what, so none can be taken back,
        and of who was erased the owner knows what came after.
        """
        entries = self._entries
        undone = {self.users[one.user_key] for one in entries.erased if one.user_key}
        if len(entries.retracted):
            undone.update(entries.retracted.users.tolist())
        if undone:
            lost = [
                user for user in states if user in undone and states[user].sequence < self.through
            ]
            states = {user: state for user, state in states.items() if user not in lost}
        else:
            lost = []
        before = {user: state.sequence for user, state in states.items()}
        alone = entries.events.alone
        if alone is not None:
            self._add_event(alone, states, ordinals, kinds)
        elif len(entries.events):
            self._add_events(states, ordinals, kinds)
        if entries.vectors:
            self._set_vectors(states, before)
        for fact in entries.facts:
            # Profile's answer may be newer than these; then newer ones follow at once.
            if fact.user in states:
                states[fact.user].attributes = encoded_attributes(fact.attributes)
                states[fact.user].consent = encoded_consent(fact.consent)
        return lost

    def _add_event(
        self,
        event: EventRow,
        states: Mapping[int, UserState],
        ordinals: OrdinalsOf,
        kinds: SeenKinds,
    ) -> None:
        """Add the only event, as `_add_events` does."""
        state = states.get(event.user)
        if state is None or event.sequence <= state.sequence:
            return
        item = ordinals([self._entries.item_ids[event.item]]).item()
        kind = kinds.number(self._entries.types[event.type], event.weight < 0)
        state.add(
            np.array([(item, event.weight, event.time_us / 1e6)], RECENT),
            np.array([(item, kind, event.time_us)], SEEN),
            event.sequence,
        )

    def _add_events(
        self, states: Mapping[int, UserState], ordinals: OrdinalsOf, kinds: SeenKinds
    ) -> None:
        events = self._entries.events
        rows = _rows_by_user(events, states, len(self.users))
        if not rows.size:
            return
        users, sequences = events.users[rows], events.sequences[rows]
        recent = np.empty(rows.size, RECENT)
        seen = np.empty(rows.size, SEEN)
        times_us, weights = events.times_us[rows], events.weights[rows]
        item_ids, types = self._entries.item_ids, self._entries.types
        recent["item"] = ordinals([item_ids[item] for item in events.items[rows].tolist()])
        recent["weight"] = weights
        recent["time"] = times_us / 1e6
        seen["item"] = recent["item"]
        seen["kind"] = [
            kinds.number(types[one], weight < 0)
            for one, weight in zip(events.types[rows].tolist(), weights.tolist(), strict=True)
        ]
        seen["time"] = times_us
        starts = run_starts(users).tolist()
        for start, end in zip(starts, [*starts[1:], rows.size], strict=True):
            state = states[int(users[start])]
            # What it reflects already comes first: sequences ascend.
            if sequences[start] <= state.sequence:
                start += int(np.searchsorted(sequences[start:end], state.sequence, side="right"))
            if start < end:
                state.add(recent[start:end], seen[start:end], int(sequences[end - 1]))

    def _set_vectors(self, states: Mapping[int, UserState], before: Mapping[int, int]) -> None:
        events = self._entries.events
        found: dict[int, tuple[int, PutVector]] = {}
        for part in self._entries.vectors:
            for row, (user, sequence) in enumerate(
                zip(part.users.tolist(), part.sequences.tolist(), strict=True)
            ):
                if user not in states or sequence <= max(before[user], found.get(user, (0,))[0]):
                    continue
                # A copy: a view would keep all vectors of the message alive.
                vector = part.vectors[row].copy()
                found[user] = (
                    sequence,
                    PutVector(part.generation_id, vector, bool(part.pinned[row])),
                )
        for user, (sequence, put) in found.items():
            state = states[user]
            later = (events.users == user) & (events.sequences > sequence)
            state.put = put if put.pinned or not later.any() else None
            state.sequence = max(state.sequence, sequence)
            state.unknown = False


def _of_others(events: EventColumns, users: Sequence[int]) -> EventColumns:
    """Return events as those of other users, by index."""
    if events.alone is not None:
        return EventColumns.of_one(events.alone._replace(user=users[events.alone.user]))
    if not len(events):
        return events
    return EventColumns(
        np.array(users, np.int64)[events.users], events.items, events.types, events.values,
        events.times_us, events.sequences, events.weights, events.accepted_us,
    )  # fmt: skip


def _rows_by_user(events: EventColumns, users: Collection[int], user_count: int) -> Ordinals:
    """Return which events are of given users, by user, those of each in log order."""
    wanted = np.zeros(user_count, np.bool_)
    wanted[list(users)] = True
    rows: Ordinals = wanted[events.users].nonzero()[0]
    if rows.size > 1:
        rows = rows[events.users[rows].argsort(kind="stable")]
    return rows
