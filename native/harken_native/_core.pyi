"""What the compiled core offers. Arrays are in C order and of the types given; otherwise
ValueError. Ordinals that are out of range: IndexError. What the loops of the learner do is said in
services/common/compiled_loops.py."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ordinals = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

INTERFACE: int
SLATE_COLUMNS: int
POPULAR_COLUMNS: int

class SlateDraft:
    """One slate at a time: gather, features, finish. Memory is used again for the next one."""

    def __init__(self) -> None: ...
    @staticmethod
    def eligible(
        servable: Bools,
        held: Bools,
        excluded: Ordinals,
        seen: npt.NDArray[Any] | None,
        hides_us: Ordinals | None,
        now_us: int,
        into: Bools,
    ) -> tuple[int, int, int]:
        """Write which items [size] a slate may hold; return how many there are before exclusion,
        after it, and without those that events hide.

        seen: of SEEN, None: hides nothing. hides_us: for how long, by kind; None: for ever.
        """

    @staticmethod
    def keep(eligible: Bools, mask: Bools) -> int:
        """Clear from `eligible` what is not in a mask; return how many are left."""

    @staticmethod
    def merge(lists: list[tuple[Ordinals, Doubles]], eligible: Bools, into: Ordinals) -> int:
        """Write the eligible items of lists, best first, each once; return how many they are, at
        most as many as there is room for. lists: ordinals, best first, and how good they are.
        """

    @staticmethod
    def affine(features: Floats, weights: Floats, offsets: Floats, into: Floats) -> None:
        """Write features [n, SLATE_COLUMNS] weights^T + offsets, of weights [outcomes, columns]
        and offsets [outcomes], into `into` [n, outcomes].
        """

    def gather(
        self,
        recent: npt.NDArray[Any],
        targets: npt.NDArray[np.int32],
        weights: Floats,
        popular: Doubles,
        order: Ordinals,
        touched: Ordinals,
        is_touched: Bools,
        eligible: Bools,
        nearest: Ordinals,
        asked: Ordinals | None,
        pool: int,
        wanted: int,
        now: float,
        level_now: float,
        into: Ordinals,
    ) -> int:
        """Write the ordinals of the candidates, ascending; return how many they are.

        recent: of RECENT. targets, weights: of RuleTable. popular to is_touched: of Popularity.
        nearest: what the vectors propose, best first. asked: items that are ranked, whether
        candidates or not, and the only ones that `finish` returns; None: candidates are.
        level_now: half-lives until now.
        """

    def features(
        self,
        dots: Doubles | None,
        held: Bools | None,
        popular: Doubles,
        buckets: npt.NDArray[np.uint16],
        weights: Floats,
        into: Floats,
    ) -> None:
        """Write the features of the candidates, [rows, SLATE_COLUMNS].

        dots: of candidates with the user's vector, held: which items have a vector; None: the
        user has none. buckets, weights: of ContentTable.
        """

    def finish(
        self,
        raw: Floats,
        weights: Doubles,
        head: Doubles | None,
        features: Floats,
        item_ids: Sequence[str],
        nameable: Bools,
        count: int,
        field: int,
        logged: bool,
        places: Ordinals | None = None,
        propensities: Doubles | None = None,
        others: list[tuple[str, Ordinals]] | None = None,
        alike: int = -1,
        resembled: int = -1,
        beside: list[bytes] | None = None,
    ) -> tuple[bytes, int, bool, bytes | None]:
        """Return the best `count` as slots on the wire, how many they are, whether all scores are
        numbers, and, when `logged`, what is logged of them: fields 9 to 13 of ServedSlate.

        places [slots]: the candidates that are the slate, in order, instead of the best.
        After `weigh` their scores are those that it made. propensities [slots]: default 1.
        others: what other sources proposed, best first, by name; what only the list `alike` has is
        there because it is like the item `resembled`; -1: there is none. beside [slots]: more
        fields of each slot, on the wire.

        raw [candidates, outcomes], weights [outcomes], head [outcomes, SLATE_COLUMNS + 3].
        field: number of the slots in their answer.
        """

    def ranks(self, into: npt.NDArray[np.int32]) -> None:
        """Write ranks [3, candidates] in vector, rules and popularity, from 1; 0: not listed."""

    def weigh(
        self,
        raw: Floats,
        weights: Doubles,
        head: Doubles | None,
        features: Floats,
        sources: tuple[Ordinals, Doubles, list[Ordinals]] | None,
        given: Ordinals,
        priors: Doubles,
        scores: Doubles,
        into: Doubles,
    ) -> None:
        """Write the scores [candidates] that `finish` orders by, and what a surface makes of them:
        log odds, with quotas and weights of sources (of those of every slate first, then of the
        lists), and priors of the caller's candidates `given`. See surface/weighing.py of the
        ranker. raw to features: as in `finish`.
        """

def encode_users(
    table: Floats,
    items: Ints,
    weights: Floats,
    times_us: Ints,
    exists: Flags | None,
    factor: Floats,
    length: int,
    decay: float,
    max_norm: float,
    tolerance: float,
    slack: int,
) -> Floats: ...
def learn_items(
    users: Floats,
    positives: Ints,
    weights: Floats,
    sequences: Ints,
    exists: Flags,
    item_count: int,
    table: Floats,
    base: Floats,
    eta: float,
    temperature: float,
    negatives: int,
    seed: int,
    pull: float,
    max_norm: float,
    max_drift: float,
    max_weight: float,
    pool: int,
) -> tuple[Ints, Floats]: ...
def update_rules(
    columns: Int32s,
    values: Floats,
    items: Ints,
    histories: Ints,
    weights: Floats,
    window: int,
    reverse: float,
    again: float,
) -> tuple[Int32s, Int32s, Int32s, Floats]: ...
def count_events(
    table: Doubles,
    events_before: float,
    items: Ints,
    weights: Floats,
    times_us: Ints,
    before_items: Ints,
    before_times_us: Ints,
    half_life_s: float,
    half_life_events: float,
    trend_events: float,
) -> tuple[Ints, Doubles, Doubles, Doubles, Ints, Doubles]: ...
def record_events(
    table_items: Ints,
    table_weights: Floats,
    table_times_us: Ints,
    table_sequences: Ints,
    latest_us: Ints,
    rows: Ints,
    items: Ints,
    weights: Floats,
    times_us: Ints,
    sequences: Ints,
    before_items: Ints,
    before_weights: Floats,
    before_times_us: Ints,
    start: int,
) -> tuple[int, Ints, Ints, Ints, Floats, Ints]: ...
def admit_events(
    days: Int32s,
    counts: Int32s,
    cap: int,
    rows: Ints,
    times_us: Ints,
    teach: Flags,
    admitted: Flags,
) -> tuple[Ints, npt.NDArray[np.int8]]: ...
def contest_gains(
    sequences: Ints,
    items: Ints,
    exists: Flags,
    users: Floats,
    vectors: Floats,
    biases: Floats,
    negatives: int,
    seed: int,
) -> Doubles: ...
def index_ordinals(columns: Sequence[Ints], rows: int) -> tuple[Ints, list[Ints]]: ...
def add_symmetric(gramian: Doubles, change: Floats) -> None: ...

# selection.cpp

class PlaceSelector:
    """Selects one slate after the other; memory is used again for the next one."""

    def __init__(self) -> None: ...
    def select(
        self,
        utilities: Doubles,
        boosts: list[tuple[Bools, float]],
        pins: list[tuple[Bools, int]],
        at_most: list[tuple[Bools, int]],
        caps: list[tuple[Int32s, Ordinals | None, int, dict[int, int]]],
        at_least: list[tuple[Bools, int]],
        method: int,
        power: float,
        vectors: Floats | None,
        norms: Floats | None,
        rows: Ordinals | None,
        policy: int,
        number: float,
        fresh: Bools | None,
        fresh_share: float,
        seed: int,
        places: Ordinals,
        propensities: Doubles,
        logged: Floats,
        levels: npt.NDArray[np.uint8] | None,
        barred: npt.NDArray[np.uint8],
    ) -> tuple[
        list[tuple[int, int, int]],
        list[tuple[int, int, int]],
        list[tuple[int, int, int]],
        list[int],
        list[tuple[int, int]],
        list[int],
        float,
    ]:
        """Decide the places [k] of a slate from candidates [n].

        boosts: items, and what is added to their utilities. pins: items and place. at_most:
        items and how many. caps: codes, starts, most, and how many there are already by
        code, as in plan.Cap. at_least: items and how many. method: 0: no diversity, 1: DPP,
        2: MMR, with `power`, by rows [n] of vectors [m, d] of lengths norms [m]. policy: 0:
        greedy, 1: epsilon, 2: Plackett-Luce, with its number. fresh: the items that
        `fresh_share` of places is for.

        Writes places, propensities [k], utilities as they decided [n], levels [k, n] of
        what diversity took, and barred [k, ceil(n / 8)], as in selection.Selection. Returns
        (place, pin, item) of pins in the order in which they took places; (pin, why, other
        pin) of lost ones, by pins.Loss; (place, limit, items) that a limit kept away, at-
        most rules counted first; places where better ones were passed; (limit, why) of
        limits that yielded, 1: to a pin, 2: to need; how many items of each minimum are
        missing; and the unit of levels.
        """

# scan.cpp

def exact_top(
    query: Floats,
    table: Floats,
    biases: Floats,
    eligible: Bools,
    count: int,
    norms: Floats | None = None,
    plain: bool = False,
) -> tuple[Ordinals, Doubles]: ...
def dots(
    query: Floats,
    table: Floats,
    biases: Floats,
    ordinals: Ordinals,
    plain: bool = False,
) -> Doubles: ...

class VectorLists:
    def __init__(self, dimension: int, lists: int = 1) -> None: ...
    def __len__(self) -> int: ...
    def put(self, ordinals: Ordinals, lists: Ordinals, vectors: Floats, biases: Floats) -> int: ...
    def search(
        self,
        query: Floats,
        table: Floats,
        biases: Floats,
        eligible: Bools,
        count: int,
        probes: Floats,
        enough: int,
        norms: Floats | None = None,
        by_signs: bool = False,
        plain: bool = False,
    ) -> tuple[Ordinals, Doubles]: ...
