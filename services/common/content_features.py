"""Content features of items, and their hashing into a fixed number of buckets.

The trainer and the learner share this module: a feature has one name and one bucket everywhere.
"""

import hashlib
import itertools
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_MAX_DESCRIPTION_WORDS = 100

_CATEGORY_WEIGHT = 1.0
_TAG_WEIGHT = 1.0
_TITLE_WEIGHT = 0.5
_NUMBER_WEIGHT = 0.5
_DESCRIPTION_WEIGHT = 0.15
OWN_PREFIX = "item="
"""Of the name of the feature that only one item has."""
# The id sets items of equal content apart, so that learning can part them.
_ID_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Content:
    """What of an item decides where its vector starts."""

    item_id: str
    title: str = ""
    description: str = ""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


def words(text: str) -> Iterator[str]:
    """Yield runs of letters, marks and digits of a text, NFKC-normalised and case-folded."""
    run: list[str] = []
    for char in unicodedata.normalize("NFKC", text).casefold():
        if char.isalnum() or unicodedata.category(char).startswith("M"):
            run.append(char)
        elif run:
            yield "".join(run)
            run = []
    if run:
        yield "".join(run)


def item_feature(item_id: str) -> str:
    """Return the name of the feature that only this item has."""
    return f"{OWN_PREFIX}{item_id}"


def content_features(content: Content) -> dict[str, float]:
    """Return features by canonical name, such as "category=Comedy" or "title=toy".

    A number counts by its three leading digits: near values share a feature.
    """
    features = {item_feature(content.item_id): _ID_WEIGHT}
    features.update((f"category={name}", _CATEGORY_WEIGHT) for name in content.categories)
    features.update((f"tag={name}", _TAG_WEIGHT) for name in content.tags)
    features.update((f"title={word}", _TITLE_WEIGHT) for word in words(content.title))
    features.update(
        (f"number={name}:{value:.3g}", _NUMBER_WEIGHT) for name, value in content.numbers.items()
    )
    for word in itertools.islice(words(content.description), _MAX_DESCRIPTION_WORDS):
        features.setdefault(f"description={word}", _DESCRIPTION_WEIGHT)
    return features


def hash_features(features: Mapping[str, float], buckets: int) -> npt.NDArray[np.float32]:
    """Return features as a dense float32 [buckets], of Euclidean norm 1 (0 without features).

    Signed feature hashing: Weinberger et al. 2009 (arXiv 0902.2206), equation 1.
    """
    dense = np.zeros(buckets, np.float32)
    for name, weight in features.items():
        bucket, sign = hashed(name, buckets)
        dense[bucket] += sign * weight
    norm = float(np.linalg.norm(dense))
    return dense / np.float32(norm) if norm > 0 else dense


def hashed(name: str, buckets: int) -> tuple[int, int]:
    """Return the bucket of a feature, below `buckets`, and its sign, 1 or -1.

    One 64-bit BLAKE2b of the name gives the bucket and, by its lowest bit, the sign.
    """
    digest = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    return (digest >> 1) % buckets, 1 if digest & 1 else -1
