"""Content features: canonical names, and their hashing (Weinberger et al. 2009)."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.content_features import Content, content_features, hash_features, words

few = settings(max_examples=60)


def test_words_and_canonical_names() -> None:
    assert list(words("Amélie: Toy-Story, THE (1995)")) == ["amélie", "toy", "story", "the", "1995"]
    content = Content(
        "7", "Toy Toy", "a toy story", ("Comedy",), ("fun",), {"year": 1995.0, "price": 9.991}
    )
    assert set(content_features(content)) == {
        "item=7", "category=Comedy", "tag=fun", "title=toy", "number=year:2e+03",
        "number=price:9.99", "description=a", "description=toy", "description=story",
    }  # fmt: skip


@few
@given(st.dictionaries(st.text(max_size=8), st.floats(0.1, 2), max_size=8), st.integers(1, 64))
def test_hashing_is_the_signed_sum_per_bucket(features: dict[str, float], buckets: int) -> None:
    expected = [0.0] * buckets
    for name, weight in features.items():
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
        expected[(number // 2) % buckets] += weight if number % 2 else -weight
    length = sum(value * value for value in expected) ** 0.5
    got = hash_features(features, buckets)
    if length > 1e-6:
        assert got == pytest.approx(np.array(expected) / length, abs=1e-5)
    assert np.linalg.norm(got) <= 1 + 1e-5
