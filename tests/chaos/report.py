"""What a campaign did and what its oracles complain of."""

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field

_SHOWN = 20
LOST, DOUBLED, STALE, DIGESTS = "lost", "doubled", "stale as fresh", "digests that differ"
ORDER, POSITION, BAD_INPUT, READ = "order", "position", "bad input taken", "read lacks events"
REPLAY = "replay differs"
EARLY = "served before its commit"
ENDED = "process ended by itself"
UNANSWERED = "not answered in time"
"""No promise was seen broken, as nothing could be compared: it fails, and is none of the counts."""


@dataclass(slots=True)
class Report:
    """Counts, and complaints by kind and oracle."""

    seed: int
    minutes: float
    faults: Counter[str] = field(default_factory=Counter)
    restarts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds until ready, by process."""
    acknowledged: int = 0
    retracted: int = 0
    facts: int = 0
    deleted: int = 0
    steps_replayed: int = 0
    reads: int = 0
    digests_compared: int = 0
    frames_merged: int = 0
    """Of those that the watch got: several that came as one."""
    entries_compared: int = 0
    complaints: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def complain(self, kind: str, oracle: str, example: str) -> None:
        """Note that a promise was broken."""
        self.complaints[kind, oracle] += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(f"{kind} ({oracle}): {' '.join(example.split())}")

    @property
    def kills(self) -> int:
        """How many processes were ended by SIGKILL."""
        return sum(count for what, count in self.faults.items() if what.startswith("kill "))

    @property
    def oracles(self) -> list[str]:
        """Oracles that complain."""
        return sorted({oracle for _, oracle in self.complaints})

    def count(self, kind: str) -> int:
        """Return how many complaints there are of a kind."""
        return sum(count for (one, _), count in self.complaints.items() if one == kind)

    def row(self) -> str:
        """Return kills / acknowledged events / lost / doubled / stale as fresh / digests."""
        kinds = " / ".join(f"{self.count(kind)}" for kind in (LOST, DOUBLED, STALE, DIGESTS))
        return f"{self.kills:,} / {self.acknowledged:,} / {kinds}"

    def printed(self) -> str:
        """Return all of it as text."""
        lines = [
            "kills / acknowledged events / lost / doubled / stale as fresh / digests that differ",
            self.row(),
            f"retractions {self.retracted}, facts {self.facts}, items deleted {self.deleted}, "
            f"reads {self.reads}, digests compared {self.digests_compared}, "
            f"merged frames {self.frames_merged}, entries compared {self.entries_compared}, "
            f"steps replayed {self.steps_replayed}",
            "faults: " + ", ".join(f"{what} {n}" for what, n in sorted(self.faults.items())),
            "seconds to be ready again, median and worst: "
            + ", ".join(
                f"{name} {statistics.median(took):.1f} {max(took):.1f}"
                for name, took in sorted(self.restarts.items())
            ),
        ]
        for (kind, oracle), count in sorted(self.complaints.items()):
            lines.append(f"BROKEN {kind}: {count}, by {oracle}")
        lines += self.examples
        lines.append(f"again: make chaos MINUTES={self.minutes:g} SEED={self.seed}")
        return "\n".join(lines)
