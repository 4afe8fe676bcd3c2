"""The table that a generation starts from."""

import numpy as np

from services.trainer.constants import scaled_table


def test_items_without_events_are_bounded_as_all_others() -> None:
    """A few items in a sparse history may start far from the others: found on shop sessions."""
    vectors = np.zeros((4, 8), np.float32)
    vectors[0, 0], vectors[1, 1] = 2.0, 4.0
    start = np.zeros((4, 8), np.float32)
    start[2, 0], start[3, 1] = 1.0, 27.0
    table = scaled_table(vectors, start, 0.5, 3.0)
    norms = np.linalg.norm(table, axis=1)
    assert np.allclose(norms, [0.5 * 2 / 3, 0.5 * 4 / 3, 0.5, 3.0])
    # Bounded in length, not turned.
    assert np.allclose(table[3] / norms[3], start[3] / 27.0)
    assert not vectors[2:].any(), "what was given stays as it is"
