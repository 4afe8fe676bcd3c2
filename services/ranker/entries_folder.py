"""Applies entries, the other lane of the feed: to the users held, and to what hides or shows items.

What a user did counts for the next slate, whatever the learner is doing meanwhile.
"""

import time
from collections.abc import Callable, Sequence

from services.feed.entries import Entries, ItemVisibility, TenantEntries
from services.feed.progress import Applied, Progress
from services.ranker.domain.entries_window import EntriesWindow
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_entries import UserEntries
from services.ranker.domain.user_state import UserState
from services.ranker.domain.visibility import Overlays, visible_at
from services.ranker.frame_applier import FrameApplier
from services.ranker.turn import Turn

MAX_EVENTS = 50_000
MAX_SECONDS = 10.0
"""Of the window: profile writes behind by a second at most while it is well."""


class EntriesFolder:
    """Brings the users of all replicas up to each stretch as it comes.

    `lost`: how often what was applied turned out not to be part of the log.
    """

    def __init__(
        self,
        frames: FrameApplier,
        overlays: Overlays,
        taken: Sequence[Callable[[Entries], None]] = (),
        window: EntriesWindow | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`taken` are told of every stretch before those who wait for it go on.

        `window`: holds the newest entries; default: of the bounds above. `clock`: its seconds.
        """
        self.progress = Progress()
        self.lost = 0
        self._frames = frames
        self._overlays = overlays
        self._taken = taken
        self._window = window or EntriesWindow(MAX_EVENTS, MAX_SECONDS)
        self._clock = clock

    @property
    def start(self) -> int:
        """Sequence after which `bring_up` knows all entries."""
        start = self._window.start
        return self.progress.applied.sequence if start is None else start

    def margin(self) -> int:
        """Return a sequence that will not be before `start` for a while."""
        middle = self._window.middle()
        return self.progress.applied.sequence if middle is None else middle

    async def apply(self, entries: Sequence[Entries]) -> None:
        """Apply consecutive stretches; progress moves with each."""
        turn = Turn()
        for one in entries:
            self._take(one)
            await turn.end_if_long()

    async def abandon(self) -> None:
        """Forget users and window, and begin anew at the newest entry."""
        self.lost += 1
        self._window.forget()
        self._overlays.forget()
        for replica in self._frames.replicas.values():
            replica.users.forget()
        self.progress.forget()

    def bring_up(self, replica: TenantReplica, user_key: bytes, state: UserState) -> int | None:
        """Bring a state that is not older than `start` up to what is applied.

        Return None when that is done; otherwise the sequence that a state of the user must reflect,
        for this one holds what was taken back since, or who the user is changed.
        """
        same = {user_key, *state.merged}
        users = dict.fromkeys(state.merged, user_key)
        for stretch in self._window.since(replica.tenant, same, state.sequence):
            if not same.isdisjoint(stretch.relinked()) or any(
                told in users for told in stretch.told_facts()
            ):
                return stretch.through
            own = stretch.with_merged(users)
            if own.apply({own.users[user_key]: state}, replica.ordinals, replica.users.kinds):
                return own.through
        return None

    def _take(self, entries: Entries) -> None:
        # Nothing may come in between: a state that is brought up now must not miss what follows.
        for tenant, users in self._window.add(entries, self._clock()).items():
            self._take_users(tenant, users)
        for own in entries.tenants:
            if own.items is not None:
                self._take_items(own, own.items)
            replica = self._frames.replicas.get(own.tenant)
            if replica is not None and (own.shown or own.erased):
                replica.shown.take(own, replica.catalogue.find_all)
        for told in self._taken:
            told(entries)
        self.progress.advance(Applied(entries.epoch, 0, entries.through_sequence))

    def _take_users(self, tenant: str, users: UserEntries) -> None:
        replica = self._frames.replicas.get(tenant)
        if replica is not None:
            replica.users.take(users, replica.ordinals)

    def _take_items(self, own: TenantEntries, items: ItemVisibility) -> None:
        """Hold what frames do not reflect yet.

        Most of it says that items are there as usual. Where frames list no such item that waits for
        them, so a large import takes no room here.
        """
        folded = self._frames.progress.applied.sequence
        replica = self._frames.replicas.get(own.tenant)
        overlay = self._overlays.of(own.tenant)
        for row, item in enumerate(items.items.tolist()):
            visible = visible_at(items, row)
            item_id = own.item_ids[item]
            if visible.sequence <= folded:
                continue
            known = replica is not None and replica.catalogue.lists(item_id)
            if known or not visible.plain or item_id in overlay.items:
                overlay.put(item_id, visible)
