"""What was logged of a selection decides it again, to the last bit."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.common.arrays import Ordinals
from services.ranker.domain.selection.plan import NO_EXPLORATION, Plan
from services.ranker.domain.selection.pool import Pool, bounded
from services.ranker.domain.selection.replay import Decided, replayed
from services.ranker.domain.selection.select import select
from services.ranker.domain.selection.selection import Selection
from tests.ranker.domain.selection.plans import SEED, pools_and_plans

COUNT = st.integers(0, 8)


def decided(pool: Pool, plan: Plan, selection: Selection, seed: int) -> Decided:
    """Return what a log holds, as bytes hold it."""
    lost = any(one.rule == "exploration" for one in selection.lost)
    places, size = selection.places.size, pool.size
    lowered = b"" if selection.lowered is None else selection.lowered.tobytes()
    return Decided(
        np.frombuffer(selection.utilities.astype("<f4").tobytes(), "<f4"),
        np.frombuffer(bounded(pool.utilities).astype("<f4").tobytes(), "<f4"),
        np.frombuffer(selection.barred.tobytes(), np.uint8).reshape(places, (size + 7) // 8),
        np.frombuffer(lowered, np.uint8).reshape(-1, size) if size else np.empty((0, 0), np.uint8),
        selection.unit,
        pool.new if plan.exploration.new_share > 0 else None,
        pool.deviations,
        NO_EXPLORATION if lost else plan.exploration,
        seed,
        selection.places,
        selection.decided,
    )


@given(pools_and_plans(), COUNT, SEED)
def test_a_selection_is_decided_again_to_the_last_bit(
    given_: tuple[Pool, Plan], count: int, seed: int
) -> None:
    """Truth 11: whatever rules, diversity and chance made of it."""
    pool, plan = given_
    selection = select(pool, plan, count, seed)
    again = replayed(decided(pool, plan, selection, seed))
    assert again.places.tolist() == selection.places.tolist()
    assert again.propensities.tolist() == selection.propensities[selection.decided].tolist()
    best_first = select(pool, Plan(), pool.size).places
    assert again.by_order.tolist() == best_first.tolist()


@given(pools_and_plans(), COUNT, SEED, st.integers(0, 13), st.integers(0, 13))
def test_what_was_not_decided_so_is_not_called_the_same(
    given_: tuple[Pool, Plan], count: int, seed: int, first: int, second: int
) -> None:
    """Two items that changed places in the log are found out, where nothing bars them."""
    pool, plan = given_
    plan = plan._replace(exploration=NO_EXPLORATION, sorts=())
    selection = select(pool, plan, count, seed)
    shown: Ordinals = selection.places.copy()
    if max(first, second) >= shown.size or first == second:
        return
    shown[[first, second]] = shown[[second, first]]
    log = replace(decided(pool, plan, selection, seed), shown=shown)
    again = replayed(log)
    assert again.places.tolist() != shown.tolist()
