"""What a ranker is fed by: feedback and profile as a script, of the tree that this runs in.

    python stage.py        with PYTHONPATH of the tree

The first line of its input is JSON with the counts of items and users; it prints one with the
targets. Then it does what further lines say: "stage" builds a second generation, whose vectors
differ; "flip" makes it the active one, or the first again. It answers
each with a line: the version that its frames end with.
Uses only what all trees since the first have.
"""

import asyncio
import json
import sys
import time
from typing import Any

import grpc
import numpy as np

from harken.profile.v1 import profile_pb2
from tests.ranker import scripted_upstream
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.scripted_upstream import ScriptedUpstream

DIMENSION = 128
TASTES, SPREAD = 64, 0.5
RECENT, SEEN = 20, 200
RULED, RULES = 20_000, 20
"""Items with rules, the first ones; rules of each."""
_CHUNK = 4_000
_HALF_LIFE = 14 * 86400.0
_FIRST, _SECOND = "g1", "g2"
_HEARTBEAT_SECONDS = 1.0
"""As feedback does. Tests want them sooner, and a ranker would be woken up all the time."""


def vectors_of(items: int, seed: int) -> Any:
    """Return vectors [items, DIMENSION] around some tastes, of norms about .5."""
    rng = np.random.default_rng(seed)
    tastes = rng.standard_normal((TASTES, DIMENSION), dtype=np.float32)
    found = tastes[rng.integers(0, TASTES, items)]
    found += SPREAD * rng.standard_normal((items, DIMENSION), dtype=np.float32)
    return found * np.float32(0.5 / np.sqrt(DIMENSION))


class Stage:
    """A catalogue, and users who did something."""

    def __init__(self, items: int, users: int) -> None:
        self._items = items
        self._active = _FIRST
        self._now = time.time()
        self._rng = np.random.default_rng(1)
        self.upstream = _Upstream()
        feedback: Any = self.upstream.feedback
        first = vectors_of(items, 1)
        feedback.snapshot = [
            self._chunk(start, min(start + _CHUNK, items), first)
            for start in range(0, items, _CHUNK)
        ]
        # The first one behind it, so that head, snapshot and profile agree.
        feedback.add(frame(2, *factors(_FIRST, first)))
        for number in range(users):
            self.upstream.profile.profiles[b"u:user-%d" % number] = self._profile(number)

    def _chunk(self, start: int, end: int, vectors: Any) -> Any:
        """Return a part of the snapshot, items [start, end)."""
        changes = Changes()
        if start == 0:
            changes.activated = manifest(_FIRST, dimension=DIMENSION)
        for number in range(start, end):
            changes.item(f"item-{number}", [f"category-{number % 20}"])
        ruled = min(RULED, self._items)
        for number in range(start, min(end, ruled)):
            for slot, target in enumerate(self._rng.integers(0, ruled, RULES).tolist()):
                changes.rule(f"item-{number}", slot, f"item-{target}", 1.0 / (slot + 1))
        for number in range(start, end):
            level = self._now / _HALF_LIFE + 8 * float(self._rng.random())
            changes.popularity(f"item-{number}", level, 1.0 + number % 50)
        message = changes.message()
        fill(message, message.item_vectors, _FIRST, range(start, end), vectors)
        found = frame(1)
        found.tenants.append(message)
        return found

    def _profile(self, number: int) -> Any:
        liked = self._rng.integers(0, min(RULED, self._items), RECENT)
        seen = self._rng.integers(0, self._items, SEEN)
        profile = profile_pb2.Profile()
        profile.subject.user_id = f"user-{number}"
        for place, item in enumerate(liked.tolist()):
            event = profile.state.recent.add(item_id=f"item-{item}", type="view", weight=1.0)
            event.event_time.seconds = int(self._now) - 60 * place
        fields = profile.DESCRIPTOR.fields_by_name
        names = [f"item-{item}" for item in dict.fromkeys(seen.tolist())]
        if "seen" in fields:
            profile.seen.item_ids.extend(names)
            profile.seen.kinds.add(type="purchase")
            profile.seen.pair_items.extend(range(len(names)))
            profile.seen.pair_kinds.extend([0] * len(names))
            profile.seen.pair_times_us.extend([int(self._now * 1e6)] * len(names))
        else:
            profile.seen_item_ids.extend(names)
            # Users came with the vector that the learner had made.
            vector = self._rng.standard_normal(DIMENSION).astype("<f4") * 0.1
            profile.state.vector = vector.tobytes()
            profile.state.generation_id = _FIRST
        return profile

    def stage(self) -> None:
        """Begin a second generation, then send its vectors in parts."""
        feedback: Any = self.upstream.feedback
        feedback.add(self._frame(Changes(staged=manifest(_SECOND, dimension=DIMENSION))))
        second = vectors_of(self._items, 2)
        for start in range(0, self._items, _CHUNK):
            message = Changes().message()
            numbers = range(start, min(start + _CHUNK, self._items))
            fill(message, message.other_item_vectors.add(), _SECOND, numbers, second)
            one = self._frame()
            one.tenants.append(message)
            feedback.add(one)
        feedback.add(self._frame(*factors(_SECOND, second)))

    def flip(self) -> None:
        """Make the generation the active one that is not."""
        feedback: Any = self.upstream.feedback
        self._active = _SECOND if self._active == _FIRST else _FIRST
        feedback.add(self._frame(Changes(activated=manifest(self._active, dimension=DIMENSION))))

    def _frame(self, *changes: Changes) -> Any:
        feedback: Any = self.upstream.feedback
        return frame(feedback.head + 1, *changes)


def factors(generation_id: str, vectors: Any) -> list[Changes]:
    """Return what users of a generation are encoded with, as a learner publishes it.

    That is the inverse of alpha d / trace(G) G + lambda I; see services/common/fold_in.py. None
    before learners did.
    """
    if not hasattr(Changes, "factor"):
        return []
    encoder = manifest(generation_id, dimension=DIMENSION).encoder
    gramian = vectors.astype(np.float64).T @ vectors
    shared = encoder.alpha * DIMENSION / np.trace(gramian) * gramian
    factor = np.linalg.inv(shared + encoder.regularization * np.eye(DIMENSION))
    return [Changes().factor(factor.tolist(), generation_id)]


def fill(message: Any, rows: Any, generation_id: str, numbers: range, vectors: Any) -> None:
    """Put vectors of items into a part of a frame, by their places among its item ids."""
    known = {item_id: place for place, item_id in enumerate(message.item_ids)}
    for number in numbers:
        item_id = f"item-{number}"
        if item_id not in known:
            known[item_id] = len(known)
            message.item_ids.append(item_id)
        rows.items.append(known[item_id])
    rows.generation_id = generation_id
    rows.vectors = vectors[numbers.start : numbers.stop].astype("<f4").tobytes()
    rows.biases = np.zeros(len(numbers), "<f4").tobytes()
    rows.pinned.extend([False] * len(numbers))


class _Slates(grpc.GenericRpcHandler):
    """Takes logged slates, whatever service and message they go by."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """Return what takes a call."""
        if not details.method.endswith("/RecordSlates"):
            return None

        async def accept(_request: bytes, _context: Any) -> bytes:
            return b""

        return grpc.unary_unary_rpc_method_handler(accept)


class _Upstream(ScriptedUpstream):
    """Slates go where the feed comes from."""

    async def _listen(self, name: str, server: grpc.aio.Server, address: str) -> str:
        server.add_generic_rpc_handlers((_Slates(),))
        return await super()._listen(name, server, address)


async def main() -> None:
    """Serve until the input ends."""
    scripted_upstream.HEARTBEAT_SECONDS = _HEARTBEAT_SECONDS
    loop = asyncio.get_running_loop()
    asked = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    stage = Stage(asked["items"], asked["users"])
    upstream = stage.upstream
    await upstream.start_feedback()
    await upstream.start_profile()
    targets = {"feedback": upstream.feedback_target, "profile": upstream.profile_target}
    print(json.dumps(targets), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        {"stage": stage.stage, "flip": stage.flip}[line.strip()]()
        print(stage.upstream.feedback.head, flush=True)
    await upstream.close()


if __name__ == "__main__":
    asyncio.run(main())
