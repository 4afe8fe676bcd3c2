"""Pairs slates with the events that name them.

Pure and deterministic: part of the learner's state, moved by the same inputs live and in a fold.
All times are those of the log (accepted_at), so replaying the log pairs the same.

A slate waits for `settle_us`, then it settles: what became of its items goes to training, once.
Until `window_us` has passed, an event may still add an outcome: it is late, and corrects. An event
may come before its slate, as rankers send slates after they have answered: it waits, too.

Delayed outcomes are known later than that, and wait in `returns`.

What is held is bounded in number and in bytes, in all and per user. A slate that has to give way,
or whose time is over, settles with what is known of it; a slate too many of one user is refused.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from services.feedback.learner.model.impression import Impression, SlateEvent, Visit
from services.feedback.learner.model.pending_slate import Labels, PendingSlate
from services.feedback.learner.model.returns import KnownReturn, Returns, ReturnsConfig


@dataclass(frozen=True, slots=True)
class AttributionConfig:
    """Times in microseconds, settle_us <= window_us; bounds of what is held per tenant."""

    settle_us: int = 10_000_000
    window_us: int = 1_800_000_000
    early_us: int = 60_000_000
    max_slates: int = 20_000
    max_bytes: int = 64 * 1024 * 1024
    max_slates_per_user: int = 50
    max_early: int = 2_000
    returns: ReturnsConfig = field(default_factory=ReturnsConfig)


class OutcomeRules(Protocol):
    """What counts as an outcome of the active generation."""

    @property
    def generation_id(self) -> str:
        """The active generation."""

    def labels_of(self, event: SlateEvent) -> Labels:
        """Return which outcomes [outcomes] an event is."""


@dataclass(frozen=True, slots=True)
class JoinerItem:
    """A slate or an event, with the time of its acceptance."""

    accepted_at_us: int
    kind: Impression | SlateEvent | Visit


@dataclass(frozen=True, slots=True, eq=False)
class LateOutcome:
    """An outcome after its slate had settled: labels [outcomes] that are new for an item."""

    pending: PendingSlate
    place: int
    labels: Labels


@dataclass(slots=True)
class Joined:
    """What a step made of slates and events. `counts`: by what became of them, for metrics.

    mattered: what has to be taken again, in order, to come to the same: visits that made nothing
    come true are left out.
    """

    mattered: list[JoinerItem] = field(default_factory=list)
    settled: list[PendingSlate] = field(default_factory=list)
    late: list[LateOutcome] = field(default_factory=list)
    known: list[KnownReturn] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class AttributionJoiner:
    """Slates within the window, in log order, and events whose slate has not come yet."""

    def __init__(self, config: AttributionConfig) -> None:
        self.config = config
        self.now_us = 0
        self.evicted_served_at_us = 0
        self.held_bytes = 0
        self.returns = Returns(config.returns)
        self._pending: OrderedDict[str, PendingSlate] = OrderedDict()
        self._unsettled: deque[PendingSlate] = deque()
        self._per_user: Counter[bytes] = Counter()
        self._early: OrderedDict[str, list[JoinerItem]] = OrderedDict()
        self._early_count = 0

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def pending(self) -> Iterable[PendingSlate]:
        """Slates within the window, in log order."""
        return self._pending.values()

    @property
    def held(self) -> list[PendingSlate]:
        """Slates within the window and those that wait for their user, in log order.

        Those that only wait come first: slates leave the window in log order.
        """
        return [*(one for one in self.returns.slates if one.attributed), *self._pending.values()]

    def shown_to(self, slate_id: str) -> bytes | None:
        """Return the user of a slate within the window; None: there is none such."""
        pending = self._pending.get(slate_id)
        return None if pending is None else pending.slate.user_key

    @property
    def early(self) -> list[JoinerItem]:
        """Events that wait for their slate, by the first event of each slate."""
        return [item for items in self._early.values() for item in items]

    def due(self, now_us: int) -> bool:
        """Return whether a slate settles, or a delayed outcome of one is known, at `now_us`
        without anything else happening.
        """
        return self._settles(now_us) or self.returns.due(now_us)

    def _settles(self, now_us: int) -> bool:
        if not self._unsettled:
            return False
        return self._unsettled[0].accepted_at_us + self.config.settle_us <= now_us

    def take(self, items: Sequence[JoinerItem], now_us: int, rules: OutcomeRules) -> Joined:
        """Take what a step brings, in log order; `now_us` is the time of the log after it."""
        joined = Joined()
        for item in items:
            if isinstance(item.kind, Visit):
                # It moves no time on: what it does not make come true need not be taken again.
                if not self.returns.visit(item.kind):
                    continue
                joined.counts["returned"] += 1
            else:
                self._advance(item.accepted_at_us, joined)
                if isinstance(item.kind, Impression):
                    self._add(item.kind, item.accepted_at_us, rules, joined)
                else:
                    self._event(item.kind, item.accepted_at_us, rules, joined)
            joined.mattered.append(item)
        self._advance(now_us, joined)
        while self._settles(self.now_us):
            self._settle(self._unsettled[0], joined)
        return joined

    def forget_user(self, user_key: bytes) -> None:
        """Forget slates and events of a user; nothing is made of them."""
        self.returns.forget_user(user_key)
        own = [one for one in self._pending.values() if one.slate.user_key == user_key]
        for pending in own:
            del self._pending[pending.slate.slate_id]
            self.held_bytes -= pending.slate.size_bytes()
            if not pending.settled:
                self._unsettled.remove(pending)
        self._per_user.pop(user_key, None)
        for slate_id, items in list(self._early.items()):
            left = [one for one in items if one.kind.user_key != user_key]
            self._early_count -= len(items) - len(left)
            if left:
                self._early[slate_id] = left
            else:
                del self._early[slate_id]

    def restore(self, pending: PendingSlate) -> None:
        """Hold a slate again, as a checkpoint says; in log order."""
        if not pending.attributed:
            self._hold(pending)
        if pending.awaited:
            self.returns.hold(pending)

    def restore_early(self, item: JoinerItem) -> None:
        """Hold an event again, as a checkpoint says; in the order of `early`."""
        if isinstance(item.kind, SlateEvent):
            self._early.setdefault(item.kind.slate_id, []).append(item)
            self._early_count += 1

    def _advance(self, now_us: int, joined: Joined) -> None:
        """Move the time of the log on; it never goes back."""
        self.now_us = max(self.now_us, now_us)
        while self._pending:
            oldest = next(iter(self._pending.values()))
            if oldest.accepted_at_us + self.config.window_us > self.now_us:
                break
            self._let_go(oldest, joined)
        while self._early:
            slate_id, items = next(iter(self._early.items()))
            if items[0].accepted_at_us + self.config.early_us > self.now_us:
                break
            self._drop_early(slate_id, joined)
        known = self.returns.known(self.now_us)
        if known:
            joined.counts["return_known"] += len(known)
            joined.known += known

    def _add(
        self, slate: Impression, accepted_at_us: int, rules: OutcomeRules, joined: Joined
    ) -> None:
        fate = self._refusal(slate)
        joined.counts[fate or "slate"] += 1
        if fate is not None:
            return
        items = len(slate.item_ids)
        scored = slate.outcomes if slate.generation_id == rules.generation_id else 0
        pending = PendingSlate(
            slate,
            max(accepted_at_us, self.now_us),
            np.zeros((items, scored), np.bool_),
            np.zeros(items, np.bool_),
        )
        self._hold(pending)
        if scored:
            self.returns.admit(pending, joined.counts)
        for item in self._early.pop(slate.slate_id, []):
            self._early_count -= 1
            if isinstance(item.kind, SlateEvent):
                self._attribute(item.kind, pending, rules, joined)
        while len(self._pending) > self.config.max_slates or (
            self.held_bytes > self.config.max_bytes and len(self._pending) > 1
        ):
            oldest = next(iter(self._pending.values()))
            served = oldest.slate.served_at_us
            self.evicted_served_at_us = max(self.evicted_served_at_us, served)
            joined.counts["evicted"] += 1
            self._let_go(oldest, joined)

    def _refusal(self, slate: Impression) -> str | None:
        if slate.slate_id in self._pending:
            return "duplicate"
        # A slate that gave way may not come again. One whose time was over cannot: slates are
        # logged within minutes of being served, and the window is longer.
        if slate.served_at_us <= self.evicted_served_at_us:
            return "too_late"
        if self._per_user[slate.user_key] >= self.config.max_slates_per_user:
            return "too_many_of_user"
        return None

    def _event(
        self, event: SlateEvent, accepted_at_us: int, rules: OutcomeRules, joined: Joined
    ) -> None:
        pending = self._pending.get(event.slate_id)
        if pending is not None:
            self._attribute(event, pending, rules, joined)
            return
        joined.counts["early"] += 1
        self._early.setdefault(event.slate_id, []).append(JoinerItem(accepted_at_us, event))
        self._early_count += 1
        while self._early_count > self.config.max_early:
            self._drop_early(next(iter(self._early)), joined)

    def _attribute(
        self, event: SlateEvent, pending: PendingSlate, rules: OutcomeRules, joined: Joined
    ) -> None:
        slate = pending.slate
        if event.user_key != slate.user_key or event.item_id not in slate.item_ids:
            joined.counts["foreign"] += 1
            return
        joined.counts["joined"] += 1
        place = slate.item_ids.index(event.item_id)
        pending.taken[place] |= event.weight > 0
        if slate.generation_id != rules.generation_id or not pending.labels.shape[1]:
            return
        labels = rules.labels_of(event)
        if labels.shape[0] != pending.labels.shape[1]:
            return
        fresh = labels & ~pending.labels[place]
        pending.labels[place] |= labels
        if pending.settled and fresh.any():
            joined.counts["late"] += 1
            joined.late.append(LateOutcome(pending, place, fresh))

    def _hold(self, pending: PendingSlate) -> None:
        self._pending[pending.slate.slate_id] = pending
        self._per_user[pending.slate.user_key] += 1
        self.held_bytes += pending.slate.size_bytes()
        if not pending.settled:
            self._unsettled.append(pending)

    def _let_go(self, pending: PendingSlate, joined: Joined) -> None:
        """Let the oldest slate out of the window; it settles now if it has not."""
        if not pending.settled:
            self._settle(pending, joined)
        pending.attributed = True
        user = pending.slate.user_key
        del self._pending[pending.slate.slate_id]
        self._per_user[user] -= 1
        if not self._per_user[user]:
            del self._per_user[user]
        self.held_bytes -= pending.slate.size_bytes()

    def _settle(self, pending: PendingSlate, joined: Joined) -> None:
        """Settle a slate; slates settle in log order, so it is the first that has not."""
        self._unsettled.popleft()
        pending.settled = True
        joined.counts["settled"] += 1
        joined.settled.append(pending)

    def _drop_early(self, slate_id: str, joined: Joined) -> None:
        items = self._early.pop(slate_id)
        self._early_count -= len(items)
        joined.counts["unknown_slate"] += len(items)
