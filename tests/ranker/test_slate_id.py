"""Slate ids."""

import time
import uuid

from services.ranker.slate_id import new_slate_id


def test_ids_are_unique_and_sort_by_time() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid.UUID(new_slate_id()) for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert len(set(made)) == 1000
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {uuid.RFC_4122}
    assert all(before <= one.int >> 80 <= after for one in made)
