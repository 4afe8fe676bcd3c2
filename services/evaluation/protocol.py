"""The rules of a comparison, the same for all arms."""

from dataclasses import dataclass
from enum import StrEnum


class Repeats(StrEnum):
    """What becomes of items that a user has had an event on before."""

    EXCLUDE = "exclude"
    INCLUDE = "include"


@dataclass(frozen=True, slots=True)
class Rules:
    """How arms are compared.

    start: where the test part begins: a fraction of the events below 1, else a number of events.
    limit: events of the test part, None: all. every: rank only every so many tie groups, >= 1.
    cutoffs: of the metrics, ascending, 1..100. resamples: of the bootstrap.
    """

    start: float = 0.8
    limit: int | None = None
    every: int = 1
    repeats: Repeats = Repeats.EXCLUDE
    cutoffs: tuple[int, ...] = (10,)
    resamples: int = 1000
    seed: int = 1

    def statement(self) -> list[str]:
        """Return the rules in words, for whoever reads the figures."""
        excluded = self.repeats is Repeats.EXCLUDE
        rules = [
            "Events in global order of time; the split lies at a change of the second. Arms are "
            "fitted on what is before it, and tested on what comes after, then learn from it.",
            "All events of one user and second are ranked before any of them is revealed.",
            "Ranked among all items known so far: those of the items file and those with an event "
            "before. Nothing is sampled. Equal scores get their mean rank; a slate is an order "
            "and has no equal scores. An item not known yet is a miss for every arm.",
            "repeats exclude: items that the user has seen are left out of rankings, events on "
            "them are not scored."
            if excluded
            else "repeats include: items that the user has seen are ranked, too, and every event "
            "is scored.",
            "Events of no or negative weight (hides, dislikes) are not scored; baselines do not "
            "see them.",
            "Confidence intervals: 95%, bootstrap over users "
            f"({self.resamples} resamples, seed {self.seed}); ratios are paired.",
        ]
        if self.every > 1:
            rules.append(f"Only one group in {self.every} is ranked; all are learned from.")
        return rules
