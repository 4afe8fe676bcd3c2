"""The scan in NumPy, where scores are no numbers."""

import numpy as np
import pytest

from services.common.ranking import plain_scan


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_what_has_no_number_takes_no_place_among_the_best(count: int) -> None:
    table = np.array([[3], [np.nan], [2], [np.nan], [1]], np.float32)
    ordinals, scores = plain_scan.exact_top(
        np.ones(1, np.float32), table, np.zeros(5, np.float32), np.ones(5, np.bool_), count
    )
    assert ordinals.tolist() == [0, 2, 4][:count]
    assert scores.tolist() == [3, 2, 1][:count]
