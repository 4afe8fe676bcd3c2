"""Loops of the learner: what they do is said in services/common/compiled_loops.py."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

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
) -> tuple[Int32s, Int32s, Int32s, Floats]: ...
def count_events(
    levels: Doubles,
    counts: Doubles,
    places: Doubles,
    events_before: float,
    items: Ints,
    weights: Floats,
    times_us: Ints,
    before_items: Ints,
    before_times_us: Ints,
    half_life_s: float,
    half_life_events: float,
) -> tuple[Ints, Doubles, Doubles, Ints, Doubles]: ...
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
