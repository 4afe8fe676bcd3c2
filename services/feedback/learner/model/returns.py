"""Slates that wait for whether their user comes back: delayed outcomes.

A delayed outcome of an item is that the user took it and came back within the outcome's window.
Until the window is over it is neither true nor false, also where nothing was taken: if what is
known early taught early, there would be negatives only for as long as the window is, and the level
would follow them (the delayed feedback of Chapelle 2014, "Modeling delayed feedback in display
advertising", KDD). When it is over, the outcome is known, and taught, once.

What waits is bounded in number, in bytes and per user. Where there are too many, those stay whose
id has the lowest digest (bottom-k sampling: Cohen & Kaplan 2007, "Summarizing data using bottom-k
sketches", PODC). So what is left is a fair sample, whatever became of it, and the busier the time
the thinner it is; if the oldest went, or what is new were refused, windows would never end, or only
those of quiet hours.
"""

import hashlib
import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.feedback.learner.model.impression import Visit
from services.feedback.learner.model.outcome_definition import OutcomeDefinition, ReturnWindow
from services.feedback.learner.model.pending_slate import AwaitedReturn, Labels, PendingSlate

_BYTES_PER_SLATE = 800
_BYTES_PER_OUTCOME = 300
_STALE = 64


@dataclass(frozen=True, slots=True)
class ReturnsConfig:
    """Bounds of what waits, per tenant: slates, bytes, and slates of one user."""

    max_slates: int = 20_000
    max_bytes: int = 64 * 1024 * 1024
    max_slates_per_user: int = 50


@dataclass(frozen=True, slots=True, eq=False)
class KnownReturn:
    """A delayed outcome that is known now: labels [items]; `column`: in the slate's
    probabilities.
    """

    pending: PendingSlate
    outcome: str
    column: int
    labels: Labels


@dataclass(frozen=True, slots=True)
class _Expected:
    column: int
    definition: OutcomeDefinition
    window: ReturnWindow


class Returns:
    """Slates that wait, in log order. What waits of a slate is in its `awaited`."""

    def __init__(self, config: ReturnsConfig) -> None:
        self.config = config
        self.held_bytes = 0
        self._outcomes = 0
        self._expected: dict[str, _Expected] = {}
        self._open: dict[str, OrderedDict[str, PendingSlate]] = {}
        self._slates: dict[str, PendingSlate] = {}
        self._of_user: dict[bytes, dict[str, PendingSlate]] = {}
        self._by_digest: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._slates)

    @property
    def slates(self) -> Iterable[PendingSlate]:
        """Slates that wait, in log order."""
        return self._slates.values()

    @property
    def expected(self) -> bool:
        """Whether there are delayed outcomes."""
        return bool(self._expected)

    def expect(self, definitions: Sequence[OutcomeDefinition], keep: bool) -> None:
        """Wait for these delayed outcomes from now on.

        keep: go on waiting for those that were waited for and are the same, weight aside.
        """
        before = self._expected
        self._outcomes = len(definitions)
        self._expected = {
            one.name: _Expected(column, one, one.returns)
            for column, one in enumerate(definitions)
            if one.returns is not None
        }
        for name in before:
            if not keep or not self._goes_on(name, before[name].definition):
                for pending in list(self._open[name].values()):
                    self._forget(name, pending)
        # In the order in which a restart would have them.
        self._open = {name: self._open.get(name, OrderedDict()) for name in self._expected}

    def _goes_on(self, name: str, before: OutcomeDefinition) -> bool:
        now = self._expected.get(name)
        return now is not None and now.definition == replace(before, weight=now.definition.weight)

    def awaits(self, user_key: bytes) -> bool:
        """Return whether a slate of the user waits."""
        return user_key in self._of_user

    def admit(self, pending: PendingSlate, counts: Counter[str]) -> None:
        """Let a new slate wait for all that is expected; another one may have to give way."""
        slate = pending.slate
        if not self._expected or slate.outcomes != self._outcomes or slate.slate_id in self._slates:
            return
        if len(self._of_user.get(slate.user_key, ())) >= self.config.max_slates_per_user:
            counts["return_refused"] += 1
            return
        pending.awaited = {
            name: AwaitedReturn(expected.column) for name, expected in self._expected.items()
        }
        self.hold(pending)
        counts["awaited"] += 1
        while len(self._slates) > self.config.max_slates or (
            self.held_bytes > self.config.max_bytes and len(self._slates) > 1
        ):
            self._give_way()
            counts["return_gave_way"] += 1

    def hold(self, pending: PendingSlate) -> None:
        """Let a slate wait for what its `awaited` says; in log order."""
        slate = pending.slate
        self._slates[slate.slate_id] = pending
        self._of_user.setdefault(slate.user_key, {})[slate.slate_id] = pending
        for name in pending.awaited:
            self._open[name][slate.slate_id] = pending
        self.held_bytes += self._size(pending)
        if len(self._by_digest) > 2 * len(self._slates) + _STALE:
            self._by_digest = [one for one in self._by_digest if one[1] in self._slates]
            heapq.heapify(self._by_digest)
        heapq.heappush(self._by_digest, (-_digest(slate.slate_id), slate.slate_id))

    def visit(self, visit: Visit) -> bool:
        """Take note that a user is back; return whether anything has come true by it."""
        counted = False
        for pending in self._of_user.get(visit.user_key, {}).values():
            passed = visit.time_us - pending.accepted_at_us
            for name, awaited in pending.awaited.items():
                expected = self._expected[name]
                if (
                    not awaited.returned
                    and expected.window.after_us <= passed < expected.window.until_us
                    and expected.definition.is_return(visit)
                ):
                    awaited.returned = counted = True
        return counted

    def forget_user(self, user_key: bytes) -> None:
        """Wait no more for anything of a user."""
        for pending in list(self._of_user.get(user_key, {}).values()):
            for name in list(pending.awaited):
                self._forget(name, pending)

    def due(self, now_us: int) -> bool:
        """Return whether a window is over at this time of the log."""
        return any(self._over(name, now_us) is not None for name in self._open)

    def known(self, now_us: int) -> list[KnownReturn]:
        """Return what is known by this time of the log; it waits no more."""
        known = []
        for name in self._open:
            while (pending := self._over(name, now_us)) is not None:
                awaited = self._forget(name, pending)
                labels = pending.taken & awaited.returned
                known.append(KnownReturn(pending, name, awaited.column, labels))
        return known

    def _over(self, name: str, now_us: int) -> PendingSlate | None:
        """Return the oldest slate that waits for an outcome whose window is over, if any is."""
        if not self._open[name]:
            return None
        oldest = next(iter(self._open[name].values()))
        over = oldest.accepted_at_us + self._expected[name].window.until_us <= now_us
        return oldest if over else None

    def _give_way(self) -> None:
        """Forget what is awaited of the slate with the highest digest."""
        slate_id = heapq.heappop(self._by_digest)[1]
        while slate_id not in self._slates:
            slate_id = heapq.heappop(self._by_digest)[1]
        pending = self._slates[slate_id]
        for name in list(pending.awaited):
            self._forget(name, pending)

    def _forget(self, name: str, pending: PendingSlate) -> AwaitedReturn:
        """Wait no more for an outcome of a slate; it goes with the last of them."""
        slate = pending.slate
        size = self._size(pending)
        awaited = pending.awaited.pop(name)
        del self._open[name][slate.slate_id]
        if pending.awaited:
            self.held_bytes -= size - self._size(pending)
            return awaited
        self.held_bytes -= size
        del self._slates[slate.slate_id]
        of_user = self._of_user[slate.user_key]
        del of_user[slate.slate_id]
        if not of_user:
            del self._of_user[slate.user_key]
        return awaited

    def _size(self, pending: PendingSlate) -> int:
        """Return about how much memory a slate takes while it waits, at most."""
        waiting = _BYTES_PER_SLATE + _BYTES_PER_OUTCOME * len(pending.awaited)
        return pending.slate.size_bytes() + waiting


def _digest(slate_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(slate_id.encode(), digest_size=8).digest(), "big")
