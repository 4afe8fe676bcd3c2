"""News that dies in a day.

Forty articles a day come by the hour, most of them by day, each of one of fifteen sections. How
many read it is skewed and falls to 1/e within eight hours. Readers come some times a day, most have
a few sections that they like, read one to four articles at a sitting, and none twice. A third of a
sitting's next articles go on in the section of the last one.
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

_READERS, _SECTIONS, _DAYS, _A_DAY = 1_200, 15, 21, 40
_FADES_DAYS = 8.0 / 24.0
_GOES_ON = 0.33


def news(seed: int) -> History:
    """Return about 37,000 reads of 840 articles."""
    acts = _acts(np.random.default_rng(seed))
    return History("news", events_of(acts, "view"), Repeats.EXCLUDE)


def _acts(chance: np.random.Generator) -> Iterator[Act]:
    articles = _DAYS * _A_DAY
    published = np.repeat(np.arange(_DAYS), _A_DAY) + np.clip(
        chance.normal(11.0, 4.5, articles), 0.0, 23.5
    ) / 24.0  # fmt: skip
    # Some were there the evening before.
    published[: _A_DAY // 2] = -chance.random(_A_DAY // 2) / 2
    section = chance.integers(_SECTIONS, size=articles)
    appeal = chance.lognormal(0.0, 1.0, articles)
    of_section = skewed(chance, _SECTIONS, 0.6)
    visits = chance.gamma(1.0, 0.6, _READERS).clip(0.03, 4.0)
    likes = chance.dirichlet(0.8 * _SECTIONS * of_section, _READERS) + 0.01
    read: list[set[int]] = [set() for _ in range(_READERS)]
    for day in range(_DAYS):
        sittings = sorted(
            (hour_of_waking(chance), reader)
            for reader, often in enumerate(visits.tolist())
            for _ in range(int(chance.poisson(often)))
        )
        for began, reader in sittings:
            second, last = day * DAY + began, -1
            for _ in range(int(chance.integers(1, 5))):
                age = second / DAY - published
                weights = appeal * np.exp(-np.maximum(age, 0.0) / _FADES_DAYS) * (age >= 0)
                weights[list(read[reader])] = 0.0
                if last >= 0 and chance.random() < _GOES_ON:
                    weights *= np.where(section == section[last], 1.0, 1e-6)
                else:
                    weights *= likes[reader][section]
                if weights.sum() <= 1e-12:
                    break
                last = drawn(chance, weights)
                read[reader].add(last)
                yield Act(round(second, 1), reader, last)
                second += float(chance.exponential(90.0)) + 5.0
