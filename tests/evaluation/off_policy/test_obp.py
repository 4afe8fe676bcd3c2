"""The Open Bandit Pipeline is the oracle of the estimators, on a log that neither of us made.

obp_values.sh prints what it says; obp asks for Python below 3.11, so it does not run here.
"""

from collections.abc import Mapping

import numpy as np
import pytest

from services.evaluation.off_policy.estimators import (
    ESTIMATORS,
    Terms,
    doubly_robust,
    ips,
    snips,
)
from services.evaluation.off_policy.logged_slate import Candidates, Exploration, LoggedSlate
from services.evaluation.off_policy.policies import PlackettLuce
from services.evaluation.off_policy.weighed_log import WeighedLog, weighed_log
from services.evaluation.off_policy.weighed_slate import WeighedSlate, weighed
from tests.evaluation.off_policy.oracle_log import ITEMS, LOGGING, PLACES, TARGET, made

OBP: Mapping[str, float] = {
    "first place: ips": 0.45947713003110635,
    "first place: snips": 0.48210597785386966,
    "first place: dr": 0.4691003472635711,
    "ips": 0.9716464468658966,
    "snips": 0.9995103714774788,
    "cascade_ips": 0.9795440326832769,
    "position_ips": 1.029392650304481,
    "dr": 0.9819558060920122,
}
"""By obp 0.5.7."""


def rows(places: int) -> list[WeighedSlate]:
    """Return the first places of the log, as Harken weighs them."""
    log = made()
    found = []
    for number, utilities in enumerate(log["utilities"]):
        shown = log["slate_action"][number][:places]
        allowed = np.ones((places, ITEMS), np.bool_)
        for place, item in enumerate(shown[:-1], 1):
            allowed[place:, item] = False
        candidates = Candidates(tuple("abcde"), np.array(shown), np.array(utilities), {}, allowed)
        slate = LoggedSlate(
            str(number), str(number), tuple("abcde"[item] for item in shown),
            np.array(log["slate_pscore"][number][:places]),
            np.array(log["slate_reward"][number][:places]),
            {}, candidates, Exploration("plackett_luce_temperature", LOGGING),
        )  # fmt: skip
        found.append(weighed(slate, candidates, PlackettLuce(TARGET)))
    return found


def value(terms: Terms) -> float:
    return float(terms.numerator.sum() / terms.denominator.sum())


@pytest.fixture(scope="module")
def whole() -> WeighedLog:
    return weighed_log(rows(PLACES))


@pytest.mark.parametrize("name", ["ips", "snips", "cascade_ips", "position_ips"])
def test_slates(whole: WeighedLog, name: str) -> None:
    assert value(ESTIMATORS[name](whole)) == pytest.approx(OBP[name], abs=1e-6)


def test_doubly_robust_slates(whole: WeighedLog) -> None:
    log = made()
    predictions = np.array(log["slate_q"])
    taken = np.take_along_axis(predictions, np.array(log["slate_action"])[:, :, None], 2)[:, :, 0]
    expected = (np.array(log["slate_target_all"]) * predictions).sum(axis=2)
    assert value(doubly_robust(whole, taken, expected)) == pytest.approx(OBP["dr"], abs=1e-6)


def test_single_items() -> None:
    first = weighed_log(rows(1))
    log = made()
    predictions = np.array(log["slate_q"])[:, 0]
    taken = predictions[np.arange(len(predictions)), np.array(log["slate_action"])[:, 0]]
    expected = (np.array(log["slate_target_all"])[:, 0] * predictions).sum(axis=1)
    dr = doubly_robust(first, taken[:, None], expected[:, None])
    assert value(ips(first)) == pytest.approx(OBP["first place: ips"], abs=1e-6)
    assert value(snips(first)) == pytest.approx(OBP["first place: snips"], abs=1e-6)
    assert value(dr) == pytest.approx(OBP["first place: dr"], abs=1e-6)


def test_propensities_are_computed_again(whole: WeighedLog) -> None:
    """Truth 11: the log was made by other code."""
    assert max(row.off for row in rows(PLACES)) < 1e-12
    assert not whole.unmet.any()
