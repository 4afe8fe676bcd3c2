"""What is measured without processes and calls: slates, steps of the learner, scans. Of one tree.

    python inside.py        with PYTHONPATH of the tree

Commands from standard input, one JSON object a line: `do` names a function below, the rest are its
arguments; each is answered with a line of JSON: seconds of processor time. Every one measures its
floor beside it, in this process. Uses what tests.benchmarks.slate and tests.benchmarks.learner of
its tree have had since the first commit.
"""

import inspect
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import faiss
import numpy as np
import onnxruntime
from threadpoolctl import threadpool_limits

from harken.ranker.v1 import ranker_service_pb2
from services.ranker.domain.item_index import ItemIndex
from tests.benchmarks import learner, slate

DIMENSION = 128
POOL = 200
_FEW = 40
_TOUCHED = 20


def main() -> None:
    """Do what is asked until nothing more is."""
    faiss.omp_set_num_threads(1)
    does: Mapping[str, Callable[..., Any]]
    does = {"slate": Slates().measure, "steps": Steps().measure, "search": search,
            "update": update}  # fmt: skip
    with threadpool_limits(limits=1):
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = {"done": does[asked.pop("do")](**asked)}
            except Exception as error:  # whoever asked has to know, whatever it is
                answer = {"failed": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


def taken(run: Callable[[int], object], repeats: int, pause: float = 0.0) -> float:
    """Return the median of the processor seconds of this thread, pauses left out."""
    found = []
    for number in range(repeats):
        if pause:
            time.sleep(pause)
        began = time.thread_time()
        run(number)
        found.append(time.thread_time() - began)
    return statistics.median(found)


class Timed:
    """Times what a function takes from now on, wherever it is called."""

    def __init__(self, owner: Any, name: str) -> None:
        self.seconds = 0.0
        inner = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return inner(*given, **named)
            finally:
                self.seconds += time.thread_time() - began

        setattr(owner, name, timed)


def core_of(bench: Any) -> Any:
    """Return the compiled core that a bench of the tree finds; None: there is none."""
    return bench.find_core() if hasattr(bench, "find_core") else None


class Slates:
    """A slate as bench `slate` of the tree makes it: a request in bytes to an answer in bytes."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, Any, Any]] = {}
        self._timed: dict[str, Timed] = {}
        bench: Any = slate
        core = core_of(bench)
        self._maker: Any = None
        """What makes slates, in trees that have two ways."""
        if hasattr(bench, "NumpySlates"):
            self._maker = bench.NumpySlates() if core is None else bench.CompiledSlates(core)

    def measure(
        self, items: int, repeats: int, pause: float = 0.0, *, parts: bool = False
    ) -> dict[str, Any]:
        """Return seconds of a slate of 20 and of its floor, each `pause` after the one before.

        The floor is what no slate gets around: one pass over the table by NumPy, the best of it,
        and vectors of those. `parts`: where they go, of the calls that can be told apart.
        """
        replica, users, vectors = self._ready(items)
        bench: Any = slate
        request = ranker_service_pb2.RecommendRequest(tenant="default", count=20)
        request.subject.user_id = "7"
        data = request.SerializeToString()
        if parts and not self._timed:
            self._timed = {
                "whole": Timed(bench, "recommend"),
                "scan": Timed(ItemIndex, "search"),
                "onnx": Timed(onnxruntime.InferenceSession, "run"),
            }
            if self._maker is not None:
                self._timed["make_slate"] = Timed(type(self._maker), "recommend")
            else:
                self._timed["make_slate"] = Timed(bench, "make_slate")
                self._timed["slots"] = Timed(bench, "slot_messages")
        for one in self._timed.values():
            one.seconds = 0.0
        maker = [] if self._maker is None else [self._maker]
        given: list[Any] = [users, *maker, replica, data]
        whole = taken(lambda number: bench.recommend_to_one_of(*given, number), repeats, pause)
        found = {name: one.seconds / repeats for name, one in self._timed.items()}
        query = vectors[0].copy()

        def floor(_number: int) -> Any:
            scores = vectors @ query
            best = np.argpartition(scores, -min(POOL, items))[-min(POOL, items) :]
            return vectors[best]

        return {"product": whole, "floor": taken(floor, repeats, pause), "parts": found}

    def _ready(self, items: int) -> tuple[Any, Any, Any]:
        if items not in self._made:
            # Others would only be in the way of this one's caches.
            self._made.clear()
            bench: Any = slate
            rng = np.random.default_rng(0)
            replica = bench.filled_folder(items, rng).replicas["default"]
            given = (items, rng, replica)
            users = bench.users_of(*given[: len(inspect.signature(bench.users_of).parameters)])
            vectors = rng.standard_normal((items, DIMENSION), dtype=np.float32)
            self._made[items] = replica, users, vectors
        return self._made[items]


class Steps:
    """Steps as tests.benchmarks.learner of the tree takes them."""

    def __init__(self) -> None:
        self._ready: Any = None
        self._version = 0

    def measure(self, items: int, warm: int, steps: int, events: int) -> dict[str, Any]:
        """Return seconds of a step of so many events, and of its floor, as medians.

        The floor is the arithmetic of user and item vectors, a batch at a time: gathering 20
        vectors an event, one product with a matrix [d, d], six vectors moved.
        """
        if self._ready is None:
            self._ready = self._begun(items, warm)
        bench: Any = learner
        # Events are about items that there are.
        bench.ITEMS = items
        stream, states, config = self._ready
        waiting = [stream.events() for _ in range(-(-steps * events // bench.STEP))]
        entries = [one for part in waiting for one in part]

        def step(number: int) -> None:
            self._version += 1
            some = entries[number * events : (number + 1) * events]
            bench.step(states, some, config, self._version)

        rng = np.random.default_rng(1)
        table = rng.standard_normal((items, DIMENSION), dtype=np.float32)
        matrix = rng.standard_normal((DIMENSION, DIMENSION), dtype=np.float32)
        touched = rng.integers(0, items, (events, _TOUCHED))

        def floor(_number: int) -> None:
            users = table[touched].sum(axis=1) @ matrix
            table[touched[:, :6].ravel()] += np.float32(1e-3) * np.repeat(users, 6, axis=0)

        return {"product": taken(step, steps), "floor": taken(floor, steps)}

    def _begun(self, items: int, warm: int) -> Any:
        bench: Any = learner
        # Events are about items that there are.
        bench.ITEMS = items
        given = {"core": core_of(bench)} if hasattr(bench, "find_core") else {}
        stream, states, config = bench.Stream(), bench.States(), bench.LearningConfig(**given)
        kind = bench.bootstrap_activation(DIMENSION)
        bench.step(states, [bench.LogEntry(1, "default", 1_700_000_000_000_000, kind)], config, 1)
        self._version = 1
        for first in range(0, items, 2_000):
            self._version += 1
            bench.step(states, stream.items(first, first + 2_000), config, self._version)
        for _ in range(warm):
            self._version += 1
            bench.step(states, stream.events(), config, self._version)
        return stream, states, config


def search(items: int, repeats: int) -> dict[str, Any]:
    """Return seconds of the best 200 by the tree's index, and of NumPy's product and partition."""
    index, vectors, queries = _index(items)
    eligible = np.ones(items, np.bool_)
    biases = np.zeros(items, np.float32)

    def floor(number: int) -> Any:
        scores = vectors @ queries[number % _FEW] + biases
        best = np.argpartition(scores, -POOL)[-POOL:]
        return best[np.argsort(-scores[best], kind="stable")]

    def product(number: int) -> Any:
        return index.search(queries[number % _FEW], eligible, POOL)

    same = [len(np.intersect1d(floor(one), product(one)[0])) / POOL for one in range(_FEW)]
    return {"product": taken(product, repeats), "floor": taken(floor, repeats),
            "recall": statistics.fmean(same)}  # fmt: skip


def update(items: int, repeats: int) -> dict[str, Any]:
    """Return seconds of 100 vectors that move, and of NumPy writing them into a table."""
    index, vectors, _ = _index(items)
    rng = np.random.default_rng(2)
    moved = [rng.choice(items, 100, replace=False) for _ in range(repeats)]
    rows = rng.standard_normal((100, DIMENSION), dtype=np.float32)
    biases = np.zeros(100, np.float32)

    def floor(number: int) -> None:
        vectors[moved[number]] = rows

    return {"product": taken(lambda number: index.assign(moved[number], rows, biases), repeats),
            "floor": taken(floor, repeats)}  # fmt: skip


def _index(items: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    tastes = rng.standard_normal((64, DIMENSION), dtype=np.float32)
    vectors = tastes[rng.integers(0, 64, items)]
    vectors += np.float32(0.5) * rng.standard_normal((items, DIMENSION), dtype=np.float32)
    queries = tastes[rng.integers(0, 64, _FEW)]
    queries = queries + np.float32(0.5) * rng.standard_normal((_FEW, DIMENSION), dtype=np.float32)
    index = made_index(core_of(learner))
    index.grow(items)
    index.assign(np.arange(items), vectors, np.zeros(items, np.float32))
    if hasattr(index, "training"):
        # What a process does in a thread meanwhile.
        while (training := index.training()) is not None:
            training.run()
            while not index.adopt(training):
                training.take(index.behind(training, 8192))
    return index, vectors, queries


def made_index(core: Any) -> Any:
    """Return an index without vectors; with compiled scans, in trees that have them."""
    kind: Any = ItemIndex
    if "scans" in inspect.signature(kind).parameters:
        return kind(DIMENSION, core, None, lambda _index: None)
    return kind(DIMENSION)


if __name__ == "__main__":
    main()
