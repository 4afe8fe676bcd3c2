"""The rules of a comparison, the same for all arms."""

from dataclasses import dataclass
from enum import StrEnum


class Protocol(StrEnum):
    """What is training, what is the test, and what may be known when.

    GLOBAL: cut at a point of time, test-then-train after it: what a service lives through.
    SESSION: next item within each session of the last part of time, as session-rec does.
    LEAVE_ONE_OUT: the last event of every user, as papers on SASRec and HSTU do.
    """

    GLOBAL = "global"
    SESSION = "session"
    LEAVE_ONE_OUT = "leave-one-out"


class Repeats(StrEnum):
    """What becomes of items that a user has had an event on before."""

    EXCLUDE = "exclude"
    INCLUDE = "include"


class UnseenItems(StrEnum):
    """What becomes of events of test sessions on items without an event in training."""

    DROP = "drop"
    KEEP = "keep"


_GLOBAL = (
    "Events in global order of time; the split lies at a change of the second. Arms are "
    "fitted on what is before it, and tested on what comes after, then learn from it.",
    "All events of one user and second are ranked before any of them is revealed.",
    "Ranked among all items known so far: those of the items file and those with an event "
    "before. Nothing is sampled. Equal scores get their mean rank; a slate is an order "
    "and has no equal scores. An item not known yet is a miss for every arm.",
)
_SESSION = (
    "Sessions as session-rec cuts them: those with an event at or after the cut are the test with "
    "all of their events, the others are training. A user of a history without sessions counts "
    "as one session.",
    "Each event of a test session but its first is ranked, given those of its session before "
    "it and nothing else of whoever acts. Events of one second are taken in the order of the "
    "history, as session-rec takes them: ties leak.",
    "Arms are fitted on training, then frozen; `frozen_params` is the system on these terms. Only "
    "`full` also learns from test sessions as they go, each event after it was ranked.",
    "Ranked among all items with an event in training and those of the items file. Nothing is "
    "sampled. Equal scores get their mean rank (session-rec: whatever order sorting leaves).",
)
_DROPPED = (
    "Events of test sessions on items without an event in training are left out, then sessions of "
    "fewer than two positive events, as session-rec does."
)
_KEPT = (
    "Events of test sessions on items without an event in training are kept, and a miss unless "
    "the item came before in the test; test sessions have two positive events or more."
)
_LEAVE_ONE_OUT = (
    "The last positive event of every user is the test, in order of users; all others are "
    "training, those of other users that came later, too: models know the future, as they do in "
    "papers. There is no validation part: options are chosen on the last tenth of training.",
    "Of events of one user and time the last in the order of the history is the test and the "
    "others are training: ties leak, as they do in papers. Users of one positive event are trained "
    "on, not tested.",
    "Arms are fitted on training, then frozen. The system is asked as of the time of the test "
    "event.",
    "Ranked among all items with an event in training and those of the items file. Nothing is "
    "sampled. Equal scores get their mean rank; a slate is an order and has no equal scores. An "
    "item without an event in training is a miss for every arm.",
)


@dataclass(frozen=True, slots=True)
class Rules:
    """How arms are compared.

    start: where the test part begins: a fraction of the events below 1, else a number of events;
    without meaning under leave-one-out. limit: events of the test part, None: all. every: rank only
    every so many tie groups, >= 1. cutoffs: of the metrics, ascending, 1..100. resamples: of the
    bootstrap. unseen_items: of test sessions.
    """

    start: float = 0.8
    limit: int | None = None
    every: int = 1
    repeats: Repeats = Repeats.EXCLUDE
    cutoffs: tuple[int, ...] = (10,)
    resamples: int = 1000
    seed: int = 1
    protocol: Protocol = Protocol.GLOBAL
    unseen_items: UnseenItems = UnseenItems.DROP

    def statement(self) -> list[str]:
        """Return the rules in words, for whoever reads the figures."""
        excluded = self.repeats is Repeats.EXCLUDE
        rules = [
            *self._protocol_statement(),
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
            learned = self.protocol is not Protocol.LEAVE_ONE_OUT
            rules.append(
                f"Only one group in {self.every} is ranked" + "; all are learned from." * learned
            )
        return rules

    def _protocol_statement(self) -> tuple[str, ...]:
        match self.protocol:
            case Protocol.GLOBAL:
                return _GLOBAL
            case Protocol.SESSION:
                dropped = self.unseen_items is UnseenItems.DROP
                return (*_SESSION, _DROPPED if dropped else _KEPT)
            case Protocol.LEAVE_ONE_OUT:
                return _LEAVE_ONE_OUT
