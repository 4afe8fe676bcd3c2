"""What a guardrail says of an interval."""

import numpy as np
import pytest

from services.evaluation.experiments.difference import Difference
from services.evaluation.experiments.guardrail import Guardrail, Verdict


@pytest.mark.parametrize(
    ("low", "high", "more_is_better", "expected"),
    [
        (-3.0, -2.0, True, Verdict.HARMED),
        (-3.0, -1.0, True, Verdict.UNDECIDED),
        (-1.0, 5.0, True, Verdict.UNDECIDED),
        (-0.5, 5.0, True, Verdict.SAFE),
        (2.0, 3.0, False, Verdict.HARMED),
        (-5.0, 0.5, False, Verdict.SAFE),
        (-np.inf, np.inf, True, Verdict.UNDECIDED),
    ],
)
def test_verdicts(low: float, high: float, more_is_better: bool, expected: Verdict) -> None:
    zero = np.asarray(0.0)
    found = Difference(zero, zero, np.asarray(low), np.asarray(high), zero)
    assert Guardrail(1.0, more_is_better).verdict(found) is expected


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        Guardrail(-1.0)
