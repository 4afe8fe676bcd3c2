"""Items passed over move away from the user, a bounded little; all others stay."""

import numpy as np

from services.feedback.learner.model.attribution_joiner import (
    AttributionConfig,
    AttributionJoiner,
    JoinerItem,
)
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.shown_step import (
    ShownStepConfig,
    passed_over,
    shown_step,
)
from tests.feedback.domain.slates import OUTCOMES, clicked, shown


def test_only_what_lies_above_the_last_taken_item_was_passed_over() -> None:
    joiner = AttributionJoiner(AttributionConfig(settle_us=1))
    slates = {
        "none": [],
        "first": ["a"],
        "third": ["c"],
        "two": ["b", "d"],
        "hidden": ["-c"],
    }
    items = []
    for number, (name, taken) in enumerate(slates.items()):
        user = f"u:{number}".encode()
        items.append(JoinerItem(1, shown(name, ["a", "b", "c", "d", "e"], user)))
        items += [
            JoinerItem(2, clicked(name, item.strip("-"), user, weight=-1 if "-" in item else 1))
            for item in taken
        ]
    found = {
        one.slate.slate_id: passed_over(one) for one in joiner.take(items, 9, OUTCOMES).settled
    }
    assert found == {
        "none": [],
        "first": [],
        "third": ["a", "b"],
        "two": ["a", "c"],
        "hidden": [],
    }


def test_moves_are_away_from_the_user_and_bounded() -> None:
    chance = np.random.default_rng(0)
    table = chance.standard_normal((6, 8)).astype(np.float32) * 0.3
    users = chance.standard_normal((3, 8)).astype(np.float32)
    users[2] = 0
    owners, items = np.array([0, 0, 1, 2]), np.array([1, 4, 4, 5])
    config = ItemStepConfig(pull=0.0)
    rows, vectors = shown_step(
        users, owners, items, table, table.copy(), ShownStepConfig(eta=0.02), config
    )
    assert rows.tolist() == [1, 4], "a user without a vector moves nothing"
    for row, vector in zip(rows.tolist(), vectors, strict=True):
        expected = table[row].astype(np.float64)
        for owner, item in zip(owners.tolist(), items.tolist(), strict=True):
            if item == row:
                unit = users[owner] / np.linalg.norm(users[owner])
                expected = expected - 0.02 / (1 + np.exp(-float(unit @ table[row]))) * unit
        np.testing.assert_allclose(vector, expected, atol=config.max_norm / 4_095)
        touches = int((items == row).sum())
        assert np.linalg.norm(vector - table[row]) <= 0.02 * touches + 1e-3
    assert shown_step(
        users, owners, items, table, table, ShownStepConfig(eta=0.0), config
    )[0].size == 0  # fmt: skip
