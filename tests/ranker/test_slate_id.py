"""Slate ids."""

import time
import uuid

from services.ranker.slate_id import SlateIds


def test_ids_are_unique_and_sort_by_time() -> None:
    before = time.time_ns() // 1_000_000
    ids = SlateIds()
    texts = [ids.next() for _ in range(1000)]
    made = [uuid.UUID(text) for text in texts]
    after = time.time_ns() // 1_000_000
    assert [str(one) for one in made] == texts
    assert len(set(made)) == 1000
    assert len({one.int & 2**62 - 1 for one in made}) == 1000, "the noise"
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {uuid.RFC_4122}
    assert all(before <= one.int >> 80 <= after for one in made)
