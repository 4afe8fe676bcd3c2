"""Training examples of sequence encoders: windows of a user's items, and what follows each place.

Examples are tie-safe: only the last event of a second predicts, and what it predicts is any item of
the next second. A place sees what came before it (encoders are causal), so one pass over a window
trains all its places. Windows overlap by half; a place predicts in the window where it has at least
half a window of history, or all there is.
"""

from dataclasses import dataclass

import numpy as np

from services.trainer.timeline import NO_ITEM, Ints, Timeline

OBJECTIVES = ("next", "window")
_WINDOW_TARGETS = 8


@dataclass(frozen=True, slots=True)
class Examples:
    """Windows [n, length] of places in a timeline, newest last, -1 in front.

    first, last: [n, length] the timeline's places a target is drawn from, `last` exclusive; empty
    where nothing is predicted. items: [events] of the timeline.
    """

    places: Ints
    first: Ints
    last: Ints
    items: Ints

    def __len__(self) -> int:
        return int(self.places.shape[0])

    def histories(self, rows: Ints) -> Ints:
        """Return items [n, length], NO_ITEM for padding."""
        places = self.places[rows]
        histories: Ints = np.where(places >= 0, self.items[places], NO_ITEM)
        return histories

    def drawn(self, rows: Ints, generator: np.random.Generator) -> Ints:
        """Return one target per place [n, length], drawn uniformly; NO_ITEM where none."""
        first, span = self.first[rows], (self.last - self.first)[rows]
        place = first + (generator.random(first.shape) * span).astype(np.int64)
        drawn: Ints = np.where(span > 0, self.items[np.where(span > 0, place, 0)], NO_ITEM)
        return drawn


def examples_of(timeline: Timeline, end: int, length: int, objective: str = "next") -> Examples:
    """Return the examples of events before global number `end`.

    objective: "next": a target is an item of the next second. "window": one of the user's next 8
    events, which is smoother and less sequential.

    Raises:
        ValueError: there is no such objective.

    """
    if objective not in OBJECTIVES:
        raise ValueError(f"no objective {objective!r}; there are {', '.join(OBJECTIVES)}")
    stride = max(length // 2, 1)
    windows, firsts, lasts = [], [], []
    for run in timeline.runs(end):
        first, last = _targets(timeline, run, objective)
        stop = min(length, run.size)
        begin_loss = 0
        while True:
            begin = max(stop - length, 0)
            pad = length - (stop - begin)
            windows.append(np.pad(run[begin:stop], (pad, 0), constant_values=-1))
            inside = np.arange(begin, stop) >= begin_loss
            firsts.append(np.pad(np.where(inside, first[begin:stop], 0), (pad, 0)))
            lasts.append(np.pad(np.where(inside, last[begin:stop], 0), (pad, 0)))
            if stop == run.size:
                break
            begin_loss = stop
            stop = min(stop + stride, run.size)
    if not windows:
        empty = np.zeros((0, length), np.int64)
        return Examples(empty, empty, empty, timeline.items)
    return Examples(np.stack(windows), np.stack(firsts), np.stack(lasts), timeline.items)


def _targets(timeline: Timeline, run: Ints, objective: str) -> tuple[Ints, Ints]:
    """Return, per place of a user's run, the range of places that it predicts; 0, 0 for none."""
    seconds = timeline.times_s[run]
    new = np.flatnonzero(np.diff(seconds)) + 1
    first = np.zeros(run.size, np.int64)
    last = np.zeros(run.size, np.int64)
    if not new.size:
        return first, last
    ends = np.append(new[1:], run.size)
    if objective == "window":
        ends = np.minimum(new + _WINDOW_TARGETS, run.size)
    # A user's places are consecutive in the timeline.
    first[new - 1] = run[0] + new
    last[new - 1] = run[0] + ends
    return first, last
