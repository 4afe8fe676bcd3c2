"""Whose turn it is: calls begin in fair shares, few at once, and those that come too late do not.

gRPC hands calls to the event loop one by one, each when the one before has had its first go. What
waits, waits out of sight: nobody could say how many wait, or since when, and shed them. So after
each millisecond's worth of beginnings, a single one when calls are long, the loop goes round a few
times, which brings in what has arrived, and the queue is here. Whoever comes while nobody waits
begins at once.

The queue is one of start-time fair queuing: every flow (class, tenant, peer) is served as if it
were alone with its share, so that one with many or large calls delays itself.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Hashable

from services.common.call_class import CallClass
from services.common.call_limits import CallLimits
from services.common.errors import OverloadedError
from services.common.reloadable import Reloadable

_ROUNDS = 8
"""Rounds of the loop without a newcomer after which the next call begins: some microseconds each.
With 3, hardly more calls came in than began."""
_LEAST_LOOK, _MOST_LOOK = 0.0003, 0.002
"""However many come, somebody begins after this time: half of what the one before took, within
these bounds. So refusing may take a third of the loop at most."""
_GROUP_SECONDS, _MOST_GROUP = 0.001, 16
"""How long the first goes of calls that begin without a look around may take together, going by how
long they took of late, and how many these may be."""
_CALM_SECONDS = 0.002
"""After so long without a call the next one is alone: the loop does not go round for others, which
takes longer than the turn itself. Should others come with it, it does so from the second on."""
_STANDING_AFTER = 0.5
"""Seconds that calls have been waiting without a pause, after which it is no burst."""
_FEW = 50
"""Calls that wait which are no queue that stands, however slow the machine is."""
_OLD_SHARE = 0.95
"""How much of what was known of the pace stays when another one is known."""
_FLOW_SHARE = 0.5
"""Of the queue, for one flow while others wait."""
_DEADLINE_SLACK = 1.03
"""A server sees up to so much more time than the caller gave."""

_ANY = 1 << 30
"""More than there will ever be."""

Flow = Hashable


class Pace:
    """A mean of seconds that forgets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def note(self, seconds: float) -> None:
        """Take one more into the mean."""
        if self.seconds == 0.0:
            self.seconds = seconds
        self.seconds = _OLD_SHARE * self.seconds + (1 - _OLD_SHARE) * seconds

    def forget(self) -> None:
        """Doubt the mean: with nobody let in, nobody would find out that it is over."""
        self.seconds *= _OLD_SHARE


class _Queued:
    __slots__ = ("begun", "expires", "flow", "since", "turn")

    def __init__(self, flow: Flow, expires: float, turn: "asyncio.Future[None]") -> None:
        self.flow = flow
        self.since = time.monotonic()
        self.expires = expires
        self.turn = turn
        self.begun = False


class AdmissionQueue:
    """The queue of a server; belongs to one event loop."""

    def __init__(
        self, limits: Reloadable[CallLimits], room: Callable[[], int] = lambda: _ANY
    ) -> None:
        """`room`: how many more may work now; say so by `go_on` when it is more."""
        self._limits = limits
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, _Queued]] = []
        self._order = itertools.count()
        self._finish: dict[tuple[CallClass, Flow], float] = {}
        self._virtual = 0.0
        self._since: dict[_Queued, None] = {}
        self._of: dict[Flow, int] = {}
        self._passing = False
        self._held = False
        self._rounds = 0
        self._until = 0.0
        self._began = 0.0
        self._idle_at = time.monotonic()
        self._passed_at = 0.0
        """When the loop had gone round for the last time."""
        self._alone = False
        self._begun = 0
        """Since the loop last went round."""
        self._coming = 0
        """Whose turn has come, and who do not know it yet."""
        self._group = 1
        self._gap = Pace()
        self._step = Pace()

    @property
    def waiting(self) -> int:
        """Return how many calls wait for their turn."""
        return len(self._since)

    def longest_wait(self) -> float:
        """Return for how many seconds the call that came first has been waiting; 0: none waits."""
        for queued in self._since:
            return time.monotonic() - queued.since
        return 0.0

    @property
    def standing(self) -> bool:
        """Return whether many calls have been waiting for so long that this is no burst."""
        return len(self._since) > _FEW and time.monotonic() - self._idle_at > _STANDING_AFTER

    def allowed_seconds(self) -> float:
        """Return how long a call may wait."""
        limits = self._limits.value
        if self.standing:
            return min(limits.standing_seconds, limits.queue_seconds)
        return limits.queue_seconds

    def refusal(self, kind: CallClass) -> OverloadedError | None:
        """Return why a newcomer of a class is shed, if it is."""
        # It came, so there may be more behind it.
        self._rounds = _ROUNDS
        self._alone = False
        expected = len(self._since) * self._gap.seconds
        return self._late() if expected > self.allowed_seconds() * kind.share else None

    def _late(self) -> OverloadedError:
        allowed = self.allowed_seconds()
        longest = self._limits.value.queue_seconds
        # Half of a burst may be gone by then; who comes back at once keeps it from ending.
        return OverloadedError(f"calls wait longer than {allowed:g} s for their turn", longest / 2)

    async def take(
        self,
        kind: CallClass = CallClass.READS,
        flow: Flow = "",
        cost: float = 1.0,
        left: float | None = None,
        needs: float = 0.0,
    ) -> None:
        """Begin at once if that may be, and wait for one's turn otherwise. See `wait`."""
        if not self.begin():
            await self.wait(kind, flow, cost, left, needs)

    def begin(self) -> bool:
        """Begin at once if nobody waits and there is room; return whether it did."""
        if self._held or self._since or self._room() <= self._coming:
            return False
        if not self._passing:
            self._begin(1)
            self._alone = self._began - self._passed_at > _CALM_SECONDS
            return True
        if self._begun < self._group:
            self._begun += 1
            return True
        return False

    async def wait(
        self, kind: CallClass, flow: Flow, cost: float, left: float | None, needs: float
    ) -> None:
        """Wait for one's turn; it ends by itself when the caller first waits for something else.

        `cost`: how much work it is, 1 for a small one. `left`: seconds until the caller's deadline,
        None for none. `needs`: seconds that the work itself takes.

        Raises:
            OverloadedError: it waited too long, its flow has its share of the queue, or it cannot
                be done within the deadline.

        """
        expires = float("inf")
        if left is not None:
            spare = left / _DEADLINE_SLACK - needs
            if spare < len(self._since) * self._gap.seconds * 0.5:
                raise OverloadedError("the deadline is too near for what waits already")
            expires = time.monotonic() + spare
        own = self._of.get(flow, 0)
        if (
            own < len(self._since)
            and own * self._gap.seconds > self.allowed_seconds() * _FLOW_SHARE
        ):
            raise self._late()
        queued = self._enter(kind, flow, cost, expires)
        try:
            await queued.turn
        finally:
            self._coming -= queued.begun
            self._leave(queued)

    def _enter(self, kind: CallClass, flow: Flow, cost: float, expires: float) -> _Queued:
        queued = _Queued(flow, expires, self._loop.create_future())
        start = max(self._virtual, self._finish.get((kind, flow), 0.0))
        self._finish[kind, flow] = start + cost / kind.weight
        heapq.heappush(self._heap, (start, next(self._order), queued))
        self._since[queued] = None
        self._of[flow] = self._of.get(flow, 0) + 1
        self._rounds = _ROUNDS
        self._alone = False
        if not self._passing:
            # All places are taken: the next one that is free is for those who wait.
            self._held = True
        return queued

    def _leave(self, queued: _Queued) -> None:
        if queued not in self._since:
            return
        del self._since[queued]
        self._of[queued.flow] -= 1
        if not self._of[queued.flow]:
            del self._of[queued.flow]
        if not self._since:
            # Nobody has had more than a share while nobody waited.
            self._idle_at = time.monotonic()
            self._heap.clear()
            self._finish.clear()

    def go_on(self) -> None:
        """Say that one more may work."""
        if self._held:
            self._held = False
            self._passing = True
            self._begun = 0
            self._pass_on()

    def _begin(self, calls: int) -> None:
        self._passing = True
        self._begun = calls
        self._began = time.monotonic()
        self._pass_on()

    def _pass_on(self) -> None:
        """Go round, then let the next ones begin. The loop's order lets those before go first."""
        self._rounds = _ROUNDS
        self._loop.call_soon(self._first_round)

    def _first_round(self) -> None:
        now = time.monotonic()
        if self._begun:
            self._step.note((now - self._began) / self._begun)
            group = _GROUP_SECONDS / max(self._step.seconds, _GROUP_SECONDS / _MOST_GROUP)
            self._group = max(1, int(group))
        look = min(max((now - self._began) / 2, _LEAST_LOOK), _MOST_LOOK)
        self._until = now + look
        if self._alone:
            self._rounds = 0
        self._round()

    def _round(self) -> None:
        if self._rounds and time.monotonic() < self._until:
            self._rounds -= 1
            self._loop.call_soon(self._round)
            return
        now = time.monotonic()
        self._shed_late(now)
        most, begun = min(self._room() - self._coming, self._group), 0
        while self._heap and begun < most:
            start, _, queued = heapq.heappop(self._heap)
            # Whose caller has gone has been cancelled.
            if queued.turn.done():
                continue
            self._virtual = start
            if now > queued.expires:
                queued.turn.set_exception(OverloadedError("the deadline is too near"))
            else:
                queued.turn.set_result(None)
                queued.begun = True
                begun += 1
            self._leave(queued)
        if begun:
            self._coming += begun
            self._gap.note((now - self._began) / max(1, self._begun))
            self._begin(begun)
            return
        self._passing = False
        self._passed_at = now
        self._held = bool(self._since)

    def _shed_late(self, now: float) -> None:
        """Shed those that have waited too long, whoever's turn it is."""
        allowed = self.allowed_seconds()
        while self._since:
            oldest = next(iter(self._since))
            if now - oldest.since <= allowed:
                return
            if not oldest.turn.done():
                oldest.turn.set_exception(self._late())
            self._leave(oldest)
