"""Which variant of which experiment a user gets: a pure function of names, shares and a hash.

A layer divides its users into BUCKETS equal buckets; its experiments own ranges of them that do not
overlap, so a user is in at most one experiment of a layer. Layers are independent of each other:
each hashes with its own salt. Within an experiment a second hash, with the experiment's salt,
chooses the variant, so that the variants of one experiment say nothing about those of the next one
on the same buckets.

A ramp opens the first buckets of an experiment's range. Neither hash depends on how many are open,
so a ramp up keeps everybody who was in, with the same variant, and a ramp down only removes users.

Source: overlapping layers after Tang, Agarwal, O'Brien & Meyer 2010, "Overlapping experiment
infrastructure: more, better, faster experimentation" (KDD).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BUCKETS = 10_000
_HASH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of an experiment. weight: its share of the users, relative to the others, >= 1."""

    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment's place in its layer.

    first, size: buckets it owns, first .. first + size - 1, within 0 .. BUCKETS - 1; size >= 1.
    opened: of these the first so many are in, 0 .. size. variants: at least one, in fixed order;
    to change them or the salt moves users, so it takes a new experiment.
    """

    name: str
    salt: str
    first: int
    size: int
    opened: int
    variants: tuple[Variant, ...]

    def __post_init__(self) -> None:
        if self.first < 0 or self.size < 1 or self.first + self.size > BUCKETS:
            raise ValueError(f"{self.name}: buckets must lie within 0 .. {BUCKETS - 1}")
        if not 0 <= self.opened <= self.size:
            raise ValueError(f"{self.name}: opened must be within 0 .. {self.size}")
        if not self.variants or any(variant.weight < 1 for variant in self.variants):
            raise ValueError(f"{self.name}: needs variants, each of a weight of at least 1")
        if len({variant.name for variant in self.variants}) < len(self.variants):
            raise ValueError(f"{self.name}: names of variants must differ")


@dataclass(frozen=True, slots=True)
class Layer:
    """Experiments that exclude each other. Raises ValueError where two own the same bucket."""

    salt: str
    experiments: tuple[Experiment, ...]

    def __post_init__(self) -> None:
        ordered = sorted(self.experiments, key=lambda experiment: experiment.first)
        for one, following in pairwise(ordered):
            if one.first + one.size > following.first:
                raise ValueError(f"{one.name} and {following.name} own the same buckets")


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a user is: names of an experiment and of one of its variants."""

    experiment: str
    variant: str


def assigned(layer: Layer, user_id: str) -> Assignment | None:
    """Return the user's experiment and variant in a layer; None: in no experiment of it."""
    bucket = _place(layer.salt, user_id, BUCKETS)
    for experiment in layer.experiments:
        if experiment.first <= bucket < experiment.first + experiment.opened:
            return Assignment(experiment.name, _variant(experiment, user_id))
    return None


def shares(variants: Sequence[Variant]) -> tuple[float, ...]:
    """Return the expected share of the users of each variant; they sum to 1."""
    whole = sum(variant.weight for variant in variants)
    return tuple(variant.weight / whole for variant in variants)


def _variant(experiment: Experiment, user_id: str) -> str:
    place = _place(experiment.salt, user_id, sum(v.weight for v in experiment.variants))
    for variant in experiment.variants:
        if place < variant.weight:
            return variant.name
        place -= variant.weight
    raise AssertionError("a place lies below the sum of the weights")


def _place(salt: str, user_id: str, places: int) -> int:
    """Return a uniform place, 0 .. places - 1. The length in front keeps salt and user apart."""
    salted = salt.encode()
    hashed = hashlib.blake2b(
        len(salted).to_bytes(4, "big") + salted + user_id.encode(), digest_size=_HASH_BYTES
    )
    return int.from_bytes(hashed.digest(), "big") * places >> 8 * _HASH_BYTES
