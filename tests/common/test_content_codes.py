"""Content codes: their products are cosines of content features."""

import hashlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.content_codes import BUCKETS, NO_CONTENT, WIDTH, content_code
from services.common.content_features import Content, content_features

few = settings(max_examples=100)


def bucket_of(name: str) -> int:
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    return (number // 2) % BUCKETS


# Of different buckets: what meets another one is added to it.
names = st.sampled_from(
    list({bucket_of(name): name for name in (f"title=w{n}" for n in range(40))}.values())
)


@few
@given(
    st.dictionaries(names, st.floats(0.1, 2), max_size=WIDTH),
    st.dictionaries(names, st.floats(0.1, 2), max_size=WIDTH),
)
def test_the_product_of_two_is_their_cosine(one: dict[str, float], two: dict[str, float]) -> None:
    code, other = content_code({**one, "item=1": 5.0}), content_code(two)
    profile = dict(zip(code.buckets, code.weights, strict=True))
    there = zip(other.buckets, other.weights, strict=True)
    found = sum(profile.get(bucket, 0.0) * weight for bucket, weight in there)
    product = sum(weight * two.get(name, 0.0) for name, weight in one.items())
    lengths = [math.sqrt(sum(w * w for w in each.values())) for each in (one, two)]
    assert found == pytest.approx(product / math.prod(lengths) if all(lengths) else 0.0, abs=1e-5)


@few
@given(st.dictionaries(names, st.floats(0.1, 2), min_size=1))
def test_the_heaviest_features_are_kept(features: dict[str, float]) -> None:
    code = content_code(features)
    kept = set(code.buckets)
    assert len(kept) == min(len(features), WIDTH)
    lightest = min(weight for name, weight in features.items() if bucket_of(name) in kept)
    left = (weight for name, weight in features.items() if bucket_of(name) not in kept)
    assert all(weight <= lightest for weight in left)
    assert math.hypot(*code.weights) == pytest.approx(1.0)
    # Whichever comes first.
    assert content_code(dict(reversed(features.items()))) == code


def test_what_has_but_an_id_has_no_content() -> None:
    assert content_code(content_features(Content("7"))) == NO_CONTENT
