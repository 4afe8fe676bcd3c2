"""Music on repeat.

Listeners have long histories. A sitting stays with one artist for a while, in the order of an album
or by what the listener plays most, and one in three plays again what was just played or the album
from its beginning. Listeners like a few genres and a few artists in them, come back to these for
weeks, and find new ones among the popular of their genres. One sitting in five is sent at once by a
device that was not connected: all of its plays have one time; other times are whole minutes.
"""

from collections.abc import Iterator

import numpy as np

from services.evaluation.protocol import Repeats
from tests.benchmarks.histories.history import (
    DAY,
    Act,
    History,
    drawn,
    events_of,
    hour_of_waking,
    skewed,
)

_LISTENERS, _ARTISTS, _GENRES, _TRACKS_EACH, _DAYS = 130, 400, 20, 12, 40
_AT_ONCE, _AGAIN, _IN_ORDER, _OTHER_ARTIST, _NEW_ARTIST = 0.2, 0.12, 0.5, 0.12, 0.2


def music(seed: int) -> History:
    """Return about 35,000 plays of 4,800 tracks, of which most are heard."""
    return History(
        "music", events_of(_acts(np.random.default_rng(seed)), "listen"), Repeats.INCLUDE
    )


def _acts(chance: np.random.Generator) -> Iterator[Act]:
    genre = chance.integers(_GENRES, size=_ARTISTS)
    popular = skewed(chance, _ARTISTS, 0.9)
    tracks = np.stack([skewed(chance, _TRACKS_EACH, 0.8) for _ in range(_ARTISTS)])
    for listener in range(_LISTENERS):
        tastes = chance.choice(_GENRES, 3, replace=False)
        liked = popular * np.where(np.isin(genre, tastes), 1.0, 0.02)
        loved: dict[int, float] = {drawn(chance, liked): 3.0 for _ in range(4)}
        played: dict[int, float] = {}
        for day in range(_DAYS):
            for _ in range(int(chance.poisson(0.75))):
                second = np.floor((day * DAY + hour_of_waking(chance)) / 60.0) * 60.0
                at_once = chance.random() < _AT_ONCE
                for item in _sitting(chance, liked, loved, played, tracks):
                    yield Act(float(second), listener, item)
                    second += 0.0 if at_once else 60.0 * int(chance.integers(3, 6))


def _sitting(
    chance: np.random.Generator,
    liked: np.ndarray,
    loved: dict[int, float],
    played: dict[int, float],
    tracks: np.ndarray,
) -> Iterator[int]:
    """Yield tracks; note in `loved` and `played` what was listened to."""
    artist, last = -1, -1
    for _ in range(2 + int(chance.geometric(1.0 / 7.0))):
        if artist < 0 or chance.random() < _OTHER_ARTIST:
            if chance.random() < _NEW_ARTIST:
                artist = drawn(chance, liked)
            else:
                artist = list(loved)[drawn(chance, np.array([*loved.values()]))]
            loved[artist] = loved.get(artist, 0.0) + 1.0
            last = -1
        first = artist * _TRACKS_EACH
        if last < 0 or chance.random() >= _AGAIN:
            if last >= 0 and chance.random() < _IN_ORDER:
                last = first + (last - first + 1) % _TRACKS_EACH
            else:
                own = np.array([played.get(first + n, 0.0) for n in range(_TRACKS_EACH)])
                last = first + drawn(chance, tracks[artist] * (0.5 + own))
        played[last] = played.get(last, 0.0) + 1.0
        yield last
