"""Item vectors: the compiled step against NumPy, and against the definition in double precision."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.learner.model.item_step import (
    POOL,
    ItemStepConfig,
    bpr_step,
    draw_negatives,
    unit_of,
)

core = pytest.importorskip("harken_native._core", reason="the compiled core is not installed")

many = settings(max_examples=150, deadline=None)


@dataclass
class Case:
    """Events [n] over items [rows, d], drawn from a seed."""

    users: Any
    positives: Any
    weights: Any
    sequences: Any
    exists: Any
    table: Any
    base: Any
    config: ItemStepConfig

    @classmethod
    def of(cls, seed: int, n: int, d: int, rows: int, config: ItemStepConfig) -> "Case":
        chance = np.random.default_rng(seed)
        users = chance.standard_normal((n, d)).astype(np.float32)
        users[chance.random(n) < 0.2] = 0
        table = (chance.standard_normal((rows, d)) / np.sqrt(d)).astype(np.float32)
        table *= chance.choice(np.array([0, 0.5, 3], np.float32), (rows, 1))
        base = np.where(chance.random((rows, 1)) < 0.5, table, table * np.float32(0.9))
        return cls(
            users,
            chance.integers(-1, rows, n),
            chance.choice(np.array([-1, 0, 0.5, 1, 7], np.float32), n),
            np.sort(chance.integers(1, 2**40, n)),
            chance.random(rows) < 0.9,
            table,
            base.astype(np.float32),
            config,
        )

    def compiled(self) -> tuple[Any, Any]:
        config = self.config
        rows, vectors = core.learn_items(
            self.users, self.positives, self.weights, self.sequences, self.exists,
            len(self.table), self.table, self.base, config.eta, config.temperature,
            config.negatives, config.seed % 2**64, config.pull, config.max_norm, config.max_drift,
            config.max_weight, POOL,
        )  # fmt: skip
        return rows, vectors

    def negatives(self) -> Any:
        """Those that are gone are skipped, as the positive itself is."""
        drawn = draw_negatives(self.sequences, len(self.table), self.config)
        return np.where(self.exists[drawn], drawn, self.positives[:, np.newaxis])

    def numpy(self) -> tuple[Any, Any]:
        teaches = self.positives >= 0
        return bpr_step(
            self.users[teaches], self.positives[teaches], self.weights[teaches],
            self.negatives()[teaches], self.table, self.base, self.config,
        )  # fmt: skip

    def exact(self) -> dict[int, Any]:
        """Where items move to by the definition, before they are put on the grid."""
        config = self.config
        moves: dict[int, Any] = {}
        touches: dict[int, int] = {}
        for event, negatives in enumerate(self.negatives()):
            positive, weight = int(self.positives[event]), min(self.weights[event], 1.0)
            user = self.users[event].astype(np.float64)
            if positive < 0 or weight <= 0 or not user.any():
                continue
            unit = user / np.linalg.norm(user)
            slopes = []
            for negative in negatives.tolist():
                if negative == positive:
                    continue
                margin = unit @ (self.table[positive] - self.table[negative]).astype(np.float64)
                slopes.append(weight * config.eta / config.negatives / (1 + np.exp(margin)))
                moves[negative] = moves.get(negative, 0) - slopes[-1] * unit
                touches[negative] = touches.get(negative, 0) + 1
            if slopes:
                moves[positive] = moves.get(positive, 0) + sum(slopes) * unit
                touches[positive] = touches.get(positive, 0) + 1
        found = {}
        for item, move in moves.items():
            base = self.base[item].astype(np.float64)
            drift = (self.table[item] + move - base) * (1 - config.pull) ** touches[item]
            drift *= min(1, config.max_drift / max(float(np.linalg.norm(drift)), 1e-12))
            vector = base + drift
            norm = max(float(np.linalg.norm(vector)), 1e-12)
            found[item] = vector * min(1, config.max_norm / norm)
        return found


configs = st.builds(
    ItemStepConfig,
    negatives=st.sampled_from([1, 5, 64]),
    seed=st.sampled_from([0, 7, 2**63, -1]),
    pull=st.sampled_from([0.0, 0.001, 1.0]),
    max_norm=st.sampled_from([3.0, 0.6]),
    max_drift=st.sampled_from([3.0, 0.05]),
)
cases = st.builds(
    Case.of,
    st.integers(0, 2**32 - 1),
    st.integers(0, 60),
    st.integers(1, 128),
    st.integers(1, 30),
    configs,
)


@many
@given(cases)
def test_the_same_items_move_to_the_same_places(case: Case) -> None:
    (rows, vectors), (numpy_rows, numpy_vectors) = case.compiled(), case.numpy()
    assert rows.tolist() == numpy_rows.tolist()
    assert vectors.shape == numpy_vectors.shape
    apart = np.abs(vectors - numpy_vectors)
    # What lies between two multiples of the unit to the last digit may go to either.
    assert apart.max(initial=0) <= unit_of(case.config.max_norm) * 1.001
    assert np.count_nonzero(apart > 1e-6) <= 3 + apart.size / 100


@many
@given(cases)
def test_items_move_as_the_definition_says_and_onto_the_grid(case: Case) -> None:
    rows, vectors = case.compiled()
    exact, unit = case.exact(), float(unit_of(case.config.max_norm))
    assert rows.tolist() == sorted(exact)
    for row, vector in zip(rows.tolist(), vectors.astype(np.float64), strict=True):
        # Where the nearest vector is too long, the one towards zero is taken.
        within = 1 if np.linalg.norm(vector) >= case.config.max_norm * 0.99 else 0.5
        np.testing.assert_allclose(vector, exact[row], atol=unit * within + 2e-6)
        assert np.linalg.norm(vector) <= case.config.max_norm * (1 + 1e-6)
        multiples = vector / unit
        np.testing.assert_allclose(multiples, np.rint(multiples), atol=0.01)
    assert not np.signbit(vectors[vectors == 0]).any()


@many
@given(cases)
def test_the_table_stays_as_it_is_and_the_same_step_gives_the_same_bits(case: Case) -> None:
    table = case.table.copy()
    (rows, vectors), (again_rows, again) = case.compiled(), case.compiled()
    assert (rows.tobytes(), vectors.tobytes()) == (again_rows.tobytes(), again.tobytes())
    assert table.tobytes() == case.table.tobytes()


@pytest.mark.parametrize("item", [-2, 20, 2**62])
def test_an_item_without_a_row_is_refused(item: int) -> None:
    case = Case.of(3, 10, 8, 20, ItemStepConfig())
    case.users[5], case.weights[5], case.positives[5] = 1, 1, item
    with pytest.raises(IndexError, match="has no row"):
        case.compiled()


def test_constants_out_of_range_are_refused() -> None:
    case = Case.of(3, 10, 8, 20, ItemStepConfig())
    for negatives in (0, 65):
        case.config = replace(case.config, negatives=negatives)
        with pytest.raises(ValueError, match="negatives"):
            case.compiled()
