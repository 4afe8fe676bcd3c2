"""What the index of item vectors costs and finds, by size. Its bias: made vectors, not learned.

They are made after learned ones: iALS of the trainer, d = 128, on ratings of films (9,066 items)
and reviews of games (23,715), scaled as the trainer does, and users as fold-in makes them. Of
reviews the ridge is .002: at the default of .01 vectors fell into fewer than 8 axes, and at .0005
spectra are flatter (32 axes .36, 64 .62). Lengths of reviews are of items with five or more. There,
8 / 16 / 32 / 64 / 96 axes hold .22 to .34 / .35 to .46 / .53 to .61 / .76 to .82 / .90 to .94 of
the squares (of those made: .29 / .45 / .64 / .83 / .94); cosines to the nearest, the tenth and the
hundredth are .82 / .68 / .48 (.81 / .68 / .48); lengths over their median have .29 to .58 and 2.8
to 2.9 as fifth and 95th percentiles (.32, 3.2); the best .2% of a user's scores begin 7 to 7.7
standard deviations above the mean (5.3: harder, for fewer stand out). Two harder kinds stand
beside: around 2 sqrt(n) topics with isotropic noise, and nothing but noise ("no topics").

Hot: one search after the other on a quiet process. What is compared is taken in turns, and medians
are given.

    python -m tests.benchmarks.index [--rows kinds exact search update moved memory]
        [--items 1000000]

`memory` builds, in processes of their own, a tenant with so many items and their vectors, without
rules and events, and takes what is resident beside what an idle process of the ranker has loaded:
of files, what is mapped can be taken back by the system and is given apart.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import services.ranker.process  # noqa: F401  as much memory as a ranker has
from services.common.compiled_core import find_core
from services.common.fold_in import FoldInEncoder
from services.feed.parameters import CatalogueChanges, ItemFacts, VectorRows
from services.ranker.domain.changes import TenantChanges
from services.ranker.domain.item_index import ItemIndex, Sizes
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.indexes import Indexes
from tests.benchmarks.numbers.table import Number, printed
from tests.ranker.generations import generation

DIMENSION = 128
COUNT = 200
NEVER = 1 << 40
CORE = find_core()
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Options:
    """rows: which to measure. items: the large size. repeats: rounds over all users."""

    rows: Sequence[str] = ("kinds", "exact", "search", "update", "moved", "memory")
    items: int = 1_000_000
    repeats: int = 3


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors [n, DIMENSION], biases [n], and users [m, DIMENSION]."""

    rows: np.ndarray
    biases: np.ndarray
    users: np.ndarray

    @property
    def everything(self) -> np.ndarray:
        """All but some that a user has seen."""
        eligible = np.ones(len(self.rows), np.bool_)
        eligible[:: max(1, len(self.rows) // 100)] = False
        return eligible


_TREE = ((640, 0.30), (80, 0.22), (12, 0.20))
"""Groups of items, the widest first: items a group, and what it has of the square of a length."""
_AWAY = 0.34
"""What is an item's own, on average."""
_HISTORY = 30


def learned_vectors(size: int, users: int = 60) -> Vectors:
    """Return vectors in a tree of groups, of fading spectrum, and users by fold-in."""
    rng = np.random.default_rng(1)
    scales = (np.arange(DIMENSION) + 6).astype(np.float32) ** -0.45

    def drawn(count: int) -> np.ndarray:
        return _unit(rng.standard_normal((count, DIMENSION), dtype=np.float32) * scales)

    counts = [max(4, size // items) for items, _ in _TREE]
    wide, middle, narrow = (
        drawn(count) * np.float32(share**0.5)
        for count, (_, share) in zip(counts, _TREE, strict=True)
    )
    middle_of = _uneven(rng, counts[2], counts[1], 0.5)
    narrow += (middle + wide[_uneven(rng, counts[1], counts[0], 0.5)])[middle_of]
    group = _uneven(rng, size, counts[2], 0.5)
    rows = narrow[group]
    for start in range(0, size, 65_536):
        part = rows[start : start + 65_536]
        shape = (len(part), 1)
        part += drawn(len(part)) * np.sqrt(2 * _AWAY * rng.random(shape, dtype=np.float32))
        lengths = np.minimum(np.exp(rng.normal(0, 0.7, shape)) / 2, 3)
        part[:] = _unit(part) * lengths.astype(np.float32)
    # A user has one to four interests, which are groups of the middle.
    interest = middle_of[group]
    by_interest = np.argsort(interest, kind="stable")
    histories = np.full((users, _HISTORY), -1, np.int64)
    for number, history in enumerate(histories):
        own = interest[rng.integers(0, size, 1 + number % 4)]
        length = int(rng.integers(2, _HISTORY + 1))
        chosen = rng.choice(own, length)
        first, end = (np.searchsorted(interest, chosen, side, by_interest)
                      for side in ("left", "right"))  # fmt: skip
        history[:length] = by_interest[rng.integers(first, end)]
    encoder = FoldInEncoder(length=_HISTORY)
    some = rows[:: max(1, size // 16_384)].astype(np.float64)
    times = np.tile(np.arange(_HISTORY, 0, -1) * 1_000_000, (users, 1))
    weights = np.ones(histories.shape, np.float32)
    queries = encoder.encode(rows, histories, weights, times, encoder.factor(some.T @ some))
    return Vectors(rows, rng.normal(0, 0.05, size).astype(np.float32), queries)


def _uneven(rng: np.random.Generator, count: int, groups: int, power: float) -> np.ndarray:
    shares = np.arange(1, groups + 1) ** -power
    chosen: np.ndarray = rng.choice(groups, count, p=shares / shares.sum())
    return chosen


def vectors_in_topics(size: int, width: float = 1.0, users: int = 60) -> Vectors:
    """Return vectors around topics; `width`: of these, times 1.2 at most; users."""
    rng = np.random.default_rng(1)
    topics = _unit(rng.standard_normal((int(2 * size**0.5), DIMENSION), dtype=np.float32))
    shares = np.arange(1, len(topics) + 1) ** -0.6
    rows = topics[rng.choice(len(topics), size, p=shares / shares.sum())]
    for start in range(0, size, 65_536):
        part = rows[start : start + 65_536]
        away = _unit(rng.standard_normal(part.shape, dtype=np.float32))
        part += away * rng.random((len(part), 1), dtype=np.float32) * np.float32(1.2 * width)
        part[:] = _unit(part) * np.exp(rng.normal(0, 0.3, (len(part), 1)).astype(np.float32)) / 2
    queries = np.zeros((users, DIMENSION), np.float32)
    for number, query in enumerate(queries):
        for step in range(1 + number % 6):
            query += np.float32(0.8**step) * rows[rng.integers(0, size)]
    biases = rng.normal(0, 0.05, size).astype(np.float32)
    return Vectors(rows, biases, _unit(queries) * 2)


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


KINDS: Mapping[str, Callable[[int], Vectors]] = {
    ", no topics": lambda size: vectors_in_topics(size, 20.0),
    ", topics": vectors_in_topics,
    "": learned_vectors,
}


def index_of(data: Vectors, sizes: Sizes | None = None) -> ItemIndex:
    """Return an index with vectors, its lists made."""
    index = ItemIndex(DIMENSION, CORE, None, lambda index: None, sizes or Sizes())
    index.grow(len(data.rows))
    # At once: so lists are made of all of them.
    index.assign(np.arange(len(data.rows)), data.rows, data.biases)
    make_lists(index)
    return index


def make_lists(index: ItemIndex) -> None:
    """Do what the process does in a thread."""
    while (training := index.training()) is not None:
        training.run()
        while not index.adopt(training):
            training.take(index.behind(training, 8192))


def by_numpy(data: Vectors, eligible: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the floor: product, mask, argpartition, sort."""
    hidden = (~eligible).nonzero()[0]

    def best(user: np.ndarray) -> np.ndarray:
        scores = data.rows @ user
        scores += data.biases
        scores[hidden] = -np.inf
        some = np.argpartition(scores, len(scores) - COUNT)[-COUNT:]
        ordered: np.ndarray = some[np.argsort(-scores[some], kind="stable")]
        return ordered

    return best


def by_index(index: ItemIndex, eligible: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the search that slates make."""
    return lambda user: index.search(user, eligible, COUNT)[0]


Ways = Mapping[str, tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]]
"""Searches by name, each with its users."""


def in_turns(ways: Ways, repeats: int) -> dict[str, float]:
    """Return the median microseconds of searches that take turns, user by user."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for number in range(min(len(users) for _, users in ways.values())):
            for name, (search, users) in ways.items():
                began = time.perf_counter()
                search(users[number])
                taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) * 1e6 for name, times in taken.items()}


def recall(data: Vectors, index: ItemIndex, eligible: np.ndarray) -> float:
    """Return which share of the true best the index finds, mean over users."""
    exact, own = by_numpy(data, eligible), by_index(index, eligible)
    shares = [np.isin(exact(user), own(user)).mean() for user in data.users]
    return float(np.mean(shares))


def kinds(options: Options) -> Iterator[Number]:
    """Every kind of index at every size: where one becomes better than the other."""
    for size in (500, 1_000, 2_000, 10_000, 20_000, 50_000, 100_000):
        data = learned_vectors(size)
        eligible = data.everything
        ways: dict[str, tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]] = {
            "NumPy": (by_numpy(data, eligible), data.users)
        }
        found = ""
        if CORE is not None:
            vectors = index_of(data, Sizes(NEVER, NEVER))
            codes = index_of(data, Sizes(1, NEVER, signs=NEVER))
            signs = index_of(data, Sizes(1, NEVER, signs=1))
            ways["all vectors"] = (by_index(vectors, eligible), data.users)
            ways["codes"] = (by_index(codes, eligible), data.users)
            ways["signs"] = (by_index(signs, eligible), data.users)
            found = f"; recall of signs {recall(data, signs, eligible):.4f}"
            if size >= 10_000:
                lists = index_of(data, Sizes(1, size, 1.0, 1))
                ways["lists"] = (by_index(lists, eligible), data.users)
                found += f", of lists {recall(data, lists, eligible):.4f}"
        times = in_turns(ways, options.repeats)
        said = ", ".join(f"{name} {taken:.0f}" for name, taken in times.items())
        yield Number(f"search of {size:,}, us", "-", said + found, None, dict(times))


def exact(options: Options) -> Iterator[Number]:
    """Retrieval against NumPy's matmul and argpartition."""
    for size, what in (
        (10_000, ""), (100_000, ""), (10_000, ", topics"), (100_000, ", topics"),
        (100_000, ", no topics"),
    ):  # fmt: skip
        data = KINDS[what](size)
        eligible = data.everything
        index = index_of(data)
        codes = index_of(data, Sizes(lists=NEVER, signs=NEVER))
        times = in_turns(
            {
                "NumPy": (by_numpy(data, eligible), data.users),
                "exact": (by_index(codes, eligible), data.users),
                "index": (by_index(index, eligible), data.users),
            },
            options.repeats,
        )
        ratio = times["NumPy"] / times["exact"]
        yield Number(
            f"NumPy's time over the exact index's, {size:,} items{what}", ">= 1.0",
            f"{ratio:.2f} ({times['NumPy']:.0f} / {times['exact']:.0f} us; the index as it is: "
            f"{times['index']:.0f} us, recall {recall(data, index, eligible):.4f})",
            ratio >= 1.0, dict(times),
        )  # fmt: skip


def search(options: Options) -> Iterator[Number]:
    """Search at a hundred times the items."""
    for what, made in KINDS.items():
        small, large = made(options.items // 100), made(options.items)
        few, many = index_of(small), index_of(large)
        times = in_turns(
            {
                "few": (by_index(few, small.everything), small.users),
                "many": (by_index(many, large.everything), large.users),
            },
            options.repeats,
        )
        ratio = times["many"] / times["few"]
        found = recall(large, many, large.everything)
        yield Number(
            f"search at {options.items:,} items over at a hundredth{what}",
            "<= 12x at recall >= .98",
            f"{ratio:.1f}x ({times['many']:.0f} / {times['few']:.0f} us), recall {found:.4f}",
            ratio <= 12 and found >= 0.98, dict(times),
        )  # fmt: skip
    for share in (0.5, 0.05, 0.005):
        eligible = np.random.default_rng(2).random(options.items) < share
        found = recall(large, many, eligible)
        taken = in_turns({"many": (by_index(many, eligible), large.users)}, 1)["many"]
        yield Number(
            f"search of {share:.1%} of {options.items:,} items", "recall >= .98",
            f"{taken:.0f} us, recall {found:.4f}", found >= 0.98,
        )  # fmt: skip
    yield _updated(many, large, options.items)


def update(options: Options) -> Iterator[Number]:
    """A vector that changes, in batches of a hundred."""
    for size in (10_000, 100_000):
        data = learned_vectors(size)
        yield _updated(index_of(data), data, size)


def _updated(index: ItemIndex, data: Vectors, size: int) -> Number:
    rng = np.random.default_rng(3)
    taken = []
    for _ in range(60):
        moved = rng.choice(size, 100, replace=False)
        rows = data.rows[moved] + rng.normal(0, 0.01, (100, DIMENSION)).astype(np.float32)
        biases = data.biases[moved]
        began = time.perf_counter()
        index.assign(moved, rows, biases)
        taken.append(time.perf_counter() - began)
    each = statistics.median(taken) * 1e6 / 100
    return Number(
        f"update of a vector, in batches of 100, {size:,} items", "<= 10 us", f"{each:.1f} us",
        each <= 10,
    )  # fmt: skip


def moved(options: Options) -> Iterator[Number]:
    """Recall after a tenth of the vectors moved, ten times, without lists made anew."""
    size = 100_000
    data = learned_vectors(size, users=150)
    index = index_of(data)
    before = recall(data, index, data.everything)
    rng = np.random.default_rng(4)
    for _ in range(10):
        chosen = rng.choice(size, size // 10, replace=False)
        half = chosen[: chosen.size // 2]
        # Some a little, as events move them, some to where others were.
        data.rows[chosen] += rng.normal(0, 0.01, (chosen.size, DIMENSION)).astype(np.float32)
        data.rows[half] = data.rows[rng.permutation(half)]
        index.assign(chosen, data.rows[chosen], data.biases[chosen])
    after = recall(data, index, data.everything)
    yield Number(
        "recall lost after a tenth of 100,000 vectors moved, ten times", "<= .005",
        f"{before - after:.4f} ({before:.4f}, then {after:.4f})", before - after <= 0.005,
    )  # fmt: skip


def memory(options: Options) -> Iterator[Number]:
    """What a ranker holds with so many items."""
    with tempfile.TemporaryDirectory() as folder:
        for what, bar, arguments in (
            ("with exact vectors in memory", 1.3, []),
            ("with codes in memory", 0.5, ["--folder", folder]),
        ):
            command = [sys.executable, "-m", "tests.benchmarks.index", "--resident"]
            command += ["--items", str(options.items), *arguments]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            # What it logs comes first.
            found = json.loads(said.splitlines()[-1])
            own = found["anonymous"] / _GIB
            yield Number(
                f"memory of a ranker with {options.items:,} items, {what}", f"<= {bar} GiB",
                f"{own:.2f} GiB (idle {found['idle'] / _GIB:.2f}, catalogue and popularity "
                f"{found['catalogue'] / _GIB:.2f}; of files {found['files'] / _GIB:.2f})",
                own <= bar, found,
            )  # fmt: skip


def resident(items: int, folder: Path | None) -> dict[str, int]:
    """Fill a replica as frames do, and return what is resident, in bytes."""
    idle = _resident()[0]
    indexes = Indexes(CORE, folder)
    replica = TenantReplica("default", 1e6, 1000, new_index=indexes.new_index)
    replica.fold(TenantChanges(activated=generation("g1", DIMENSION)))
    at_once = 8192
    for start in range(0, items, at_once):
        ids = tuple(f"item-{number:09}" for number in range(start, min(items, start + at_once)))
        facts = tuple(ItemFacts(item_id, (f"c{hash(item_id) % 50}",)) for item_id in ids)
        replica.fold(TenantChanges(item_ids=ids, catalogue=CatalogueChanges(facts)))
    catalogue = _resident()[0]
    data = learned_vectors(items, users=1)
    for start in range(0, items, at_once):
        ids = tuple(f"item-{number:09}" for number in range(start, min(items, start + at_once)))
        part = slice(start, start + at_once)
        rows = VectorRows(
            np.arange(len(ids)), data.rows[part], data.biases[part], np.zeros(len(ids), np.bool_)
        )
        replica.fold(TenantChanges(item_ids=ids, vectors={"g1": rows}))
    del data, rows
    while replica.index.training() is not None:
        asyncio.run(indexes.train_next())
    anonymous, files = _resident()
    return {
        "idle": idle, "catalogue": catalogue - idle, "anonymous": anonymous, "files": files
    }  # fmt: skip


def _resident() -> tuple[int, int]:
    """Return what is resident of memory, and of files that are mapped."""
    found = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kib = [int(found[name].split()[0]) for name in ("RssAnon", "RssFile", "RssShmem")]
    return kib[0] * 1024, (kib[1] + kib[2]) * 1024


ROWS: Mapping[str, Callable[[Options], Iterator[Number]]] = {
    "kinds": kinds, "exact": exact, "search": search, "update": update, "moved": moved,
    "memory": memory,
}  # fmt: skip


def index_numbers(options: Options) -> Iterator[Number]:
    """Measure what `options` name."""
    with threadpool_limits(limits=1):
        for name in options.rows:
            yield from ROWS[name](options)


def rows() -> Iterator[Number]:
    """Measure all that has a bar."""
    return index_numbers(Options(("exact", "search", "update", "moved", "memory")))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.index")
    parser.add_argument("--rows", nargs="+", choices=[*ROWS], default=[*ROWS])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--resident", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.resident:
        with threadpool_limits(limits=1):
            print(json.dumps(resident(given.items, given.folder)))
        return
    options = Options(given.rows, given.items, given.repeats)
    print(printed("index", list(index_numbers(options))))


if __name__ == "__main__":
    main()
