"""Ways to push an item, each as the entries that it writes into the log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.feedback.learner.model.entries import EmbeddingPut
from tests.benchmarks.pushes.world import HOUR_US, Timed, World

_SECOND_US = 1_000_000
_DAILY = 1000


@dataclass(frozen=True, slots=True)
class Attack:
    """`entries` of a world; `amid`: while its history goes on, not after it. `embedding`: it is a
    vector that is put, which the service may refuse. `nuke`: what is wanted is that a rival goes.
    """

    what: str
    entries: Callable[[World], Sequence[Timed]]
    amid: bool = False
    embedding: bool = False
    nuke: bool = False


def _daily_cap(world: World) -> list[Timed]:
    """Ten users, each as much as one may in a day: what is popular, and after it the target."""
    popular = world.popular(_DAILY // 2)
    began, pace = world.end_us + HOUR_US, 20 * HOUR_US // (10 * _DAILY)
    return [
        world.event(
            f"u:fake-{number % 10}",
            world.target if number // 10 % 2 else popular[number // 20 % len(popular)],
            began + number * pace,
        )
        for number in range(10 * _DAILY)
    ]


def _only_target(world: World) -> list[Timed]:
    """Ten users, each as much as one may in a day, of nothing but the target."""
    began, pace = world.end_us + HOUR_US, 20 * HOUR_US // (10 * _DAILY)
    return [
        world.event(f"u:fake-{number % 10}", world.target, began + number * pace)
        for number in range(10 * _DAILY)
    ]


def _one_call(world: World) -> list[Timed]:
    """One call of 1,000 events, each of a session that nobody heard of."""
    at_us = world.end_us + HOUR_US
    return [world.event(f"s:fake-{n}", world.target, at_us) for n in range(1000)]


def _embedding(world: World) -> list[Timed]:
    """A vector that everybody is near to, a bias of 3, pinned."""
    state = world.learner.state
    mean = state.space.vectors[: len(state.items)].mean(axis=0)
    vector = (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)
    put = EmbeddingPut(world.target, None, vector, 3.0, True, state.active)
    return [Timed(world.end_us + HOUR_US, put)]


def _visits(world: World) -> list[Timed]:
    """500 sessions: each looks at four popular items, and after each of them at the target."""
    popular = world.popular(50)
    found = []
    for session in range(500):
        at_us = world.end_us + HOUR_US + session * 120 * _SECOND_US
        for step in range(8):
            item = world.target if step % 2 else popular[(session * 4 + step // 2) % 50]
            found.append(world.event(f"s:fake-{session}", item, at_us + step * 10 * _SECOND_US))
    return sorted(found, key=lambda one: one.at_us)


def _aged(world: World) -> list[Timed]:
    """100 users who did what real ones did, within the last tenth of the history; then each one
    event on the target, spread over the last day.
    """
    began = int(world.timeline.events.times_us[int(len(world.timeline.events) * 0.9)])
    found: list[Timed] = []
    for number, copied in enumerate(world.histories(100)):
        own = world.draw.integers(began, max(world.end_us, began + 1), size=1)[0]
        pace = (world.end_us - own) / max(len(copied), 1)
        for step, event in enumerate(copied):
            at_us = int(own + step * min(pace, 60 * _SECOND_US))
            kind = replace(event, user_key=f"u:aged-{number}".encode(), time_us=at_us)
            found.append(Timed(at_us, kind))
        last = world.end_us + int(world.draw.integers(1, 23)) * HOUR_US
        found.append(world.event(f"u:aged-{number}", world.target, last))
    return sorted(found, key=lambda one: one.at_us)


def _burst(world: World) -> list[Timed]:
    """300 sessions in a minute: two popular items each, then three times the target."""
    popular, found = world.popular(100), []
    for session in range(300):
        at_us = world.end_us + 23 * HOUR_US + session * _SECOND_US // 5
        own = [popular[session % 100], popular[(session * 7 + 1) % 100], *[world.target] * 3]
        found += [world.event(f"s:fake-{session}", item, at_us) for item in own]
    return sorted(found, key=lambda one: one.at_us)


def _nuke(world: World) -> list[Timed]:
    """200 users who hide the rival, over and over."""
    rival = world.before.most_common()
    return [
        world.event(f"u:fake-{n % 200}", rival, world.end_us + HOUR_US + n * _SECOND_US, -1.0)
        for n in range(5000)
    ]


ATTACKS: Mapping[str, Attack] = {
    "daily cap": Attack("ten fake users at the daily cap, with popular items", _daily_cap),
    "only target": Attack("ten fake users at the daily cap, the target alone", _only_target),
    "one call": Attack("one call with 1,000 made-up sessions", _one_call),
    "embedding": Attack("PutEmbeddings with bias 3, pinned", _embedding, embedding=True),
    "co-visits": Attack("500 sessions: popular items, the target after each", _visits),
    "aged": Attack("100 aged fakes, copies of real users, one event each", _aged, amid=True),
    "burst": Attack("300 sessions in a minute, three events each", _burst),
    "nuke": Attack("200 fakes hide the rival that most are shown", _nuke, nuke=True),
}
"""Of the issue the first four kinds; of our own the others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Shares of honest users and newcomers whose slate holds what is pushed (of a nuke: who lost
    the rival, of those who had it), before and after.
    """

    honest_before: float
    newcomers_before: float
    honest: float
    newcomers: float

    def undone(self) -> "Seen":
        """Return the same where nothing came of the attack."""
        return replace(self, honest=self.honest_before, newcomers=self.newcomers_before)


def measure(world: World, attack: Attack) -> Seen:
    """Attack, and ask everybody."""
    entries = attack.entries(world)
    after = world.amid(entries) if attack.amid else world.after(entries)
    if not attack.nuke:
        return Seen(*world.before.shares(world.target), *after.shares(world.target))
    rival = world.before.most_common()
    lost = [
        [rival not in now for was, now in zip(old, new, strict=True) if rival in was]
        for old, new in (
            (world.before.honest, after.honest), (world.before.newcomers, after.newcomers)
        )
    ]  # fmt: skip
    return Seen(0.0, 0.0, *(sum(own) / max(len(own), 1) for own in lost))
