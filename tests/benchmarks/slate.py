"""What one slate costs. Its bias: synthetic and flattering in one way, unkind in another.

Flattering: one user after the other on a quiet process, so caches are warm (but for what is
measured after a pause), no frames are folded in between, and gRPC itself (about 0.3 ms a call,
notes/platform.md) is not in it. Unkind: vectors are Gaussian, every rule row is full, and every
user has 20 recent and 200 seen items.
Hardware of the figures in README and DECISIONS: 2 shared cores of an AMD EPYC, one thread used.

Run as `python -m tests.benchmarks.slate [items ...]`. Prints p50 and p99, of CPU and of wall time
(on a busy machine only CPU says something), of: parsing a Recommend request, making the slate and
serialising the answer; similar items; folding the frame of one event, applying its entry, and
encoding a user.
"""

import asyncio
import functools
import platform
import sys
import time
from collections.abc import Callable, Sequence

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from harken.internal.feed.v1 import frame_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.compiled_core import find_core
from services.common.ranking.recent import RECENT
from services.feed.entries import Entries
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.encoded_slate import SlateMaker
from services.ranker.domain.outcome_blend import NO_OVERRIDES
from services.ranker.domain.seen_items import SEEN
from services.ranker.domain.seen_rule import preset_rule, read_rule
from services.ranker.domain.similar_items import similar_items
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState
from services.ranker.domain.visibility import Overlays
from services.ranker.entries_folder import EntriesFolder
from services.ranker.frame_applier import FrameApplier
from services.ranker.indexes import Indexes
from services.ranker.numpy_slates import NumpySlates
from services.ranker.slate_conversion import filter_of, put_drops
from services.ranker.slate_id import SlateIds
from tests.ranker.entries import Told, stretch
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import KnownGenerations, generation, manifest

DIMENSION = 128
SLOTS = 128
USERS = 50
NOW = 1_700_000_000.0
HALF_LIFE = 14 * 86400.0
RULE = read_rule(preset_rule("shopping"))
IDS = SlateIds()
PAUSE = 0.025


def filled_folder(items: int, rng: np.random.Generator) -> FrameApplier:
    """Return a folder whose one tenant has `items` items with everything filled in."""
    core = find_core()
    indexes = Indexes(core)
    folder = FrameApplier(
        KnownGenerations(),
        lambda name: TenantReplica(name, HALF_LIFE, 10_000, new_index=indexes.new_index, core=core),
        Overlays(),
    )
    changes = Changes(activated=manifest(dimension=DIMENSION))
    for number in range(items):
        changes.item(f"item-{number}", [f"c{number % 20}"])
    asyncio.run(folder.apply([frame(1, changes)]))
    replica = folder.replicas["default"]
    everything = np.arange(items)
    vectors = rng.standard_normal((items, DIMENSION), dtype=np.float32) * 0.1
    replica.index.assign(everything, vectors, rng.standard_normal(items, dtype=np.float32))
    levels = NOW / HALF_LIFE + rng.standard_normal(items) * 4
    replica.popularity.grow(items)
    counts = rng.integers(1, 500, items).astype(float)
    replica.popularity.assign(everything, levels, counts)
    replica.rules.assign(
        np.repeat(everything, SLOTS),
        np.tile(np.arange(SLOTS), items),
        rng.integers(0, items, items * SLOTS),
        rng.random(items * SLOTS, dtype=np.float32),
    )
    return folder


def users_of(items: int, rng: np.random.Generator, replica: TenantReplica) -> list[UserState]:
    users = []
    kinds = [replica.users.kinds.number(name, negative=False) for name in ("view", "purchase")]
    for _ in range(USERS):
        recent = np.empty(20, dtype=RECENT)
        recent["item"] = rng.integers(0, items, 20)
        recent["weight"] = 1.0
        recent["time"] = NOW - np.arange(20)[::-1]
        seen = np.zeros(200, dtype=SEEN)
        seen["item"] = rng.integers(0, items, 200)
        seen["kind"] = kinds * 100
        seen["time"] = int(NOW * 1e6)
        users.append(UserState(1, recent, seen))
    return users


def recommend(
    maker: SlateMaker, replica: TenantReplica, request_bytes: bytes, user: UserState
) -> int:
    """Do what the servicer does for one call, without gRPC; return the answer's size."""
    request = pb.RecommendRequest.FromString(request_bytes)
    serving = generation("g1", DIMENSION)
    wanted = filter_of(request, RULE, request.excluded_item_ids)
    slate = maker.recommend(
        replica, serving, user, request.count, wanted, NOW, NO_OVERRIDES, logged=True
    )
    answer = pb.RecommendResponse(slate_id=IDS.next(), generation_id=serving.generation_id)
    put_drops(answer.drops, slate.drops)
    return len(answer.SerializeToString() + slate.slots)


def recommend_to_one_of(
    users: list[UserState],
    maker: SlateMaker,
    replica: TenantReplica,
    request_bytes: bytes,
    number: int,
) -> int:
    return recommend(maker, replica, request_bytes, users[number % USERS])


def timed(what: str, run: Callable[[int], object], repeats: int, pause: float = 0.0) -> None:
    """`pause`: seconds before each run, in which the memory it needs grows cold."""
    for number in range(5):
        run(number)
    wall, cpu = np.empty(repeats), np.empty(repeats)
    for number in range(repeats):
        if pause:
            time.sleep(pause)
        began, cpu_began = time.perf_counter(), time.thread_time()
        run(number)
        cpu[number] = time.thread_time() - cpu_began
        wall[number] = time.perf_counter() - began
    shown = "   ".join(
        "{} p50 {:6.3f} p99 {:7.3f}".format(name, *np.percentile(values * 1e3, [50, 99]))
        for name, values in (("CPU", cpu), ("wall", wall))
    )
    print(f"  {what:<42} {shown} ms")


def run(items: int) -> None:
    rng = np.random.default_rng(0)
    folder = filled_folder(items, rng)
    replica = folder.replicas["default"]
    users = users_of(items, rng, replica)
    print(f"{items} items, d={DIMENSION}")
    core = find_core()
    makers: dict[str, SlateMaker] = {"NumPy": NumpySlates()}
    if core is not None:
        makers["compiled"] = CompiledSlates(core)
    few = pb.RecommendRequest(count=10).SerializeToString()
    cold = UserState(1, unknown=True)
    for name, maker in makers.items():
        for count in (10, 100):
            request = pb.RecommendRequest(tenant="default", count=count)
            request.subject.user_id = "7"
            data = request.SerializeToString()
            call = functools.partial(recommend_to_one_of, users, maker, replica, data)
            timed(f"Recommend, {count}, {name}", call, 400)
            timed(f"the same, each after {PAUSE * 1e3:.0f} ms", call, 100, PAUSE)
        stranger = functools.partial(recommend, maker, replica, few)
        timed(f"Recommend, 10, unknown user, {name}", lambda _, ask=stranger: ask(cold), 400)  # type: ignore[misc]
    timed("SimilarItems, 10", lambda n: similar_items(
        replica, f"item-{n}", 10, ItemFilter(), NOW), 100)  # fmt: skip
    replica.users.hold(b"u:1", UserState(0))
    loop = asyncio.new_event_loop()

    def fold(number: int) -> None:
        loop.run_until_complete(folder.apply([frames[number]]))

    frames = [one_event(number, items, rng) for number in range(400)]
    timed("fold the frame of one event", fold, 400)
    entries = EntriesFolder(folder, Overlays())
    for key, whose in ((b"u:1", "a user who is held"), (b"u:2", "another user")):
        stretches = one_entry(key, items, entries.progress.applied.sequence, rng)

        def apply(number: int, stretches: Sequence[Entries] = stretches) -> None:
            loop.run_until_complete(entries.apply([stretches[number]]))

        timed(f"apply the entry of one event of {whose}", apply, 400)
    timed("encode a user", lambda n: encode(replica, users[n % USERS]), 400)
    loop.close()


def encode(replica: TenantReplica, user: UserState) -> None:
    user.encoded = None
    replica.spaces["g1"].user_vector(user, replica.catalogue.listed())


def one_entry(
    user_key: bytes, items: int, after: int, rng: np.random.Generator
) -> Sequence[Entries]:
    """Return stretches of the log of one event each."""
    return [
        stretch(after + place, Told().event(user_key, f"item-{item}", 1.0, NOW + place))
        for place, item in enumerate(rng.integers(0, items, 410))
    ]


def one_event(number: int, items: int, rng: np.random.Generator) -> frame_pb2.Frame:
    """Return the frame of a step with one event: 6 vectors, 40 rule cells."""
    changes = Changes()
    touched = [f"item-{n}" for n in rng.integers(0, items, 20)]
    for item_id in touched[:6]:
        changes.vector(item_id, (rng.standard_normal(DIMENSION) * 0.1).tolist())
    for slot, item_id in enumerate(touched):
        changes.rule(touched[0], slot, item_id, 1.0).rule(item_id, slot, touched[0], 0.5)
    changes.popularity(touched[0], NOW / HALF_LIFE, 7.0)
    return frame(number + 2, changes)


def main() -> None:
    faiss.omp_set_num_threads(1)
    sizes = [int(size) for size in sys.argv[1:]] or [1_700, 10_000, 100_000]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    with threadpool_limits(limits=1):
        for items in sizes:
            run(items)


if __name__ == "__main__":
    main()
