"""What simulated people do: sessions in which they follow a taste that drifts."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.simulator.catalogue import Catalogue

_SESSION_EVENTS = 12.0
_SECONDS_BETWEEN_EVENTS = 90.0
_SECONDS_BETWEEN_SESSIONS = 2 * 86_400.0
_TASTE_SHARPNESS = 2.5
_DRIFT_PER_SESSION = 0.6
_FOLLOW_PROBABILITY = 0.35


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """A rating of 1 to 5 stars. Nobody rates an item twice. `second` is in unix seconds."""

    user: str
    item: str
    second: int
    stars: int


class _Person:
    def __init__(self, name: str, clusters: int, joins: float, random: np.random.Generator) -> None:
        self.name = name
        self.random = random
        self.taste = random.normal(size=clusters) * _TASTE_SHARPNESS
        self.clock = joins
        self.left_in_session = 0
        self.last: int | None = None
        self.seen: set[int] = set()


def simulate(
    catalogue: Catalogue, users: int, days: float, begins: int, random: np.random.Generator
) -> Iterator[SimulatedEvent]:
    """Yield what `users` people do in `days`, in order of time, from unix second `begins` on.

    People join over the whole time, so that there are always new ones. Each has a random stream of
    their own: the history of one does not depend on the number of the others.
    """
    streams = random.spawn(users)
    span = days * 86_400
    ends = begins + span
    clusters = len(catalogue.members)
    people = [
        _Person(f"user-{number}", clusters, begins + stream.random() ** 1.5 * span, stream)
        for number, stream in enumerate(streams)
    ]
    queue = [(person.clock, number) for number, person in enumerate(people)]
    heapq.heapify(queue)
    while queue:
        clock, number = heapq.heappop(queue)
        if clock >= ends:
            continue
        event = _act(people[number], catalogue)
        if event is None:
            # Has seen all there is.
            continue
        yield event
        heapq.heappush(queue, (_next_time(people[number]), number))


def _act(person: _Person, catalogue: Catalogue) -> SimulatedEvent | None:
    if person.left_in_session == 0:
        person.left_in_session = 1 + person.random.poisson(_SESSION_EVENTS - 1)
        person.taste += person.random.normal(size=len(person.taste)) * _DRIFT_PER_SESSION
    item = _choose(person, catalogue)
    if item is None:
        return None
    person.left_in_session -= 1
    person.seen.add(item)
    person.last = item
    liking = person.taste[catalogue.items[item].cluster] + person.random.normal()
    stars = min(5, max(1, round(3.0 + float(liking) / 2.0)))
    return SimulatedEvent(person.name, catalogue.items[item].item_id, int(person.clock), stars)


def _choose(person: _Person, catalogue: Catalogue) -> int | None:
    if person.last is not None and person.random.random() < _FOLLOW_PROBABILITY:
        following = int(catalogue.successor[person.last])
        if following not in person.seen:
            return following
    # Clusters by taste without replacement, until one has something unseen.
    noise = person.random.gumbel(size=len(person.taste))
    for cluster in np.argsort(-(person.taste + noise)):
        unseen = [item for item in catalogue.members[cluster].tolist() if item not in person.seen]
        if unseen:
            # As random.choice with probabilities does, without the time that its checks take.
            upper = catalogue.popularity[unseen].cumsum()
            drawn = upper.searchsorted(person.random.random() * upper[-1], side="right")
            return int(unseen[min(int(drawn), len(unseen) - 1)])
    return None


def _next_time(person: _Person) -> float:
    mean = _SECONDS_BETWEEN_EVENTS if person.left_in_session else _SECONDS_BETWEEN_SESSIONS
    person.clock += 1.0 + person.random.exponential(mean)
    return person.clock
