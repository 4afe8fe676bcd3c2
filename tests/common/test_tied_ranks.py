"""Ranks by recency, ties sharing their mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.tied_ranks import tied_ranks

few = settings(max_examples=60)


@few
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), max_size=5))
def test_tied_ranks(rows: list[list[int]]) -> None:
    times = -np.sort(-np.array(rows, np.int64).reshape(-1, 4), axis=1)
    got = tied_ranks(times)
    for row, ranks in zip(times.tolist(), got, strict=True):
        for k, t in enumerate(row):
            same = [j + 1 for j, other in enumerate(row) if other == t]
            assert ranks[k] == pytest.approx(sum(same) / len(same))
