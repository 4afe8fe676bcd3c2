"""Whether an answer reflects the position that the caller asked for."""

from collections.abc import Callable

from services.common.errors import NotReadyError, StaleError
from services.common.position import Position
from services.feed.progress import Applied, Progress
from services.profile.metrics import ProfileMetrics


class Freshness:
    """Waits for positions before a read, and judges what was read."""

    def __init__(
        self, progress: Progress, knows_forks: Callable[[], bool], metrics: ProfileMetrics
    ) -> None:
        """`knows_forks` says whether the feed told, since the start, where epochs were left."""
        self._progress = progress
        self._knows_forks = knows_forks
        self._metrics = metrics

    async def wait(self, wanted: Position | None, budget: float, strict: bool) -> None:
        """Wait until `wanted` is applied, `budget` seconds at most.

        Raises:
            EpochLostError: `wanted` lies on a fork that was abandoned.
            NotReadyError: it lies in an earlier epoch, and where that was left is not known yet.
            StaleError: strict, and not reached in time.

        """
        if wanted is None:
            return
        self._refuse_unjudged(wanted)
        await self._progress.reach(wanted, budget, strict)
        self._refuse_unjudged(wanted)

    def _refuse_unjudged(self, wanted: Position) -> None:
        if wanted.epoch < self._progress.applied.epoch and not self._knows_forks():
            raise NotReadyError(
                "min_position is of an earlier epoch; not connected to the feed yet"
            )

    def is_stale(self, wanted: Position | None, read: Applied, strict: bool) -> bool:
        """Return whether a snapshot as of `read` lacks something up to `wanted`, and count it.

        Decided by the snapshot itself: after a crash of the store it may be older than what this
        process once saw applied.

        Raises:
            StaleError: strict, and it does.

        """
        if wanted is None or (wanted.epoch <= read.epoch and wanted.sequence <= read.sequence):
            return False
        if strict:
            raise StaleError("min_position is not applied")
        self._metrics.stale_answers.inc()
        return True
