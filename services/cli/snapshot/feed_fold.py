"""A fold of the feed of its own: what a new replica would hold, checked on the way.

Written apart from the ranker's code, so that a fault of that does not hide itself.
"""

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from harken.feedback.v1 import generation_pb2
from harken.internal.feed.v1 import frame_pb2
from services.feed.parameters_codec import all_vectors, read_user_vectors, read_vectors

_ROUNDING = 1e-3
"""By how much a norm may be beyond the bound: vectors are float32."""


class FeedFaultError(Exception):
    """What is wrong with a chunk or a frame."""


@dataclass(slots=True)
class TenantFold:
    """One tenant: listed items, and vector and bias as bytes by generation and item."""

    active: str = ""
    manifests: dict[str, generation_pb2.GenerationManifest] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    vectors: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def digest(self) -> bytes:
        """Return SHA-256 over sorted ids of listed items with a vector, each with its bytes."""
        digest = hashlib.sha256()
        serving = self.vectors.get(self.active, {})
        for item_id in sorted(self.listed & serving.keys()):
            digest.update(item_id.encode() + serving[item_id])
        return digest.digest()


class FeedFold:
    """All tenants, at one version."""

    def __init__(self) -> None:
        self.tenants: dict[str, TenantFold] = {}
        self.epoch = 0
        self.version = 0
        self.sequence = 0

    def take(self, frame: frame_pb2.Frame, follows: bool) -> None:
        """Fold a frame, or a chunk of a snapshot; `follows`: it must follow what is folded.

        Raises:
            FeedFaultError: it does not, or something in it is wrong.

        """
        if follows and frame.after_version != self.version:
            raise FeedFaultError(f"frame {frame.version} does not follow {self.version}")
        if follows and frame.version <= self.version:
            raise FeedFaultError(f"frame {frame.version} comes right after {self.version}")
        if frame.epoch < self.epoch or frame.through_sequence < self.sequence:
            raise FeedFaultError(f"frame {frame.version} goes back in the log")
        for changes in frame.tenants:
            fold = self.tenants.setdefault(changes.tenant, TenantFold())
            try:
                _take(changes, fold)
            except FeedFaultError as fault:
                raise FeedFaultError(f"tenant {changes.tenant}: {fault}") from None
        self.epoch, self.version = frame.epoch, frame.version
        self.sequence = frame.through_sequence


def _take(changes: frame_pb2.TenantChanges, fold: TenantFold) -> None:
    for gone in changes.retired_generation_ids:
        fold.vectors.pop(gone, None)
        fold.manifests.pop(gone, None)
    for name in ("staged", "activated"):
        if changes.HasField(name):
            manifest = getattr(changes, name)
            fold.manifests[manifest.generation_id] = manifest
            fold.vectors.setdefault(manifest.generation_id, {})
    if changes.HasField("activated"):
        fold.active = changes.activated.generation_id
    for item in changes.catalogue.items:
        fold.listed.add(item.item_id)
    fold.listed.difference_update(changes.catalogue.deleted_item_ids)
    for vectors in all_vectors(changes):
        if vectors.items:
            _assign(changes, vectors, fold)
    _check_users(changes, fold)
    for factor in changes.encoder_factors:
        _check_factor(factor, fold)


def _assign(
    changes: frame_pb2.TenantChanges, vectors: frame_pb2.ItemVectors, fold: TenantFold
) -> None:
    manifest = fold.manifests.get(vectors.generation_id)
    if manifest is None:
        raise FeedFaultError(f"vectors of generation {vectors.generation_id!r}, which is not built")
    # Read once: each access to a bytes field copies all of it.
    biases, items = vectors.biases, list(vectors.items)
    sent = len(vectors.steps or vectors.vectors)
    bits = (vectors.step_bits or 16) if vectors.steps else 32
    whole = -(-len(items) * manifest.dimension * bits // 8)
    if sent != whole or len(biases) != 4 * len(items):
        raise FeedFaultError(f"vectors of {len(items)} items have {sent} bytes, not {whole}")
    rows = read_vectors(vectors).vectors.tobytes()
    width = 4 * manifest.dimension
    _check_floats(rows, manifest, len(items))
    held = fold.vectors[vectors.generation_id]
    for row, index in enumerate(items):
        if index >= len(changes.item_ids):
            raise FeedFaultError(f"item {index} of {len(changes.item_ids)}")
        held[changes.item_ids[index]] = (
            rows[row * width : (row + 1) * width] + biases[row * 4 : row * 4 + 4]
        )


def _check_users(changes: frame_pb2.TenantChanges, fold: TenantFold) -> None:
    users = changes.users
    manifest = fold.manifests.get(users.generation_id)
    if not users.user_keys or manifest is None:
        return
    sent, whole = len(users.vectors), len(users.user_keys) * 2 * manifest.dimension
    if sent != whole:
        raise FeedFaultError(
            f"vectors of {len(users.user_keys)} users have {sent} bytes, not {whole}"
        )
    rows = read_user_vectors(users).vectors.tobytes()
    _check_floats(rows, manifest, len(users.user_keys))


def _check_factor(factor: frame_pb2.EncoderFactor, fold: TenantFold) -> None:
    manifest = fold.manifests.get(factor.generation_id)
    if manifest is None:
        raise FeedFaultError(f"factor of generation {factor.generation_id!r}, which is not built")
    values = np.frombuffer(factor.factor, "<f4") if len(factor.factor) % 4 == 0 else np.zeros(0)
    if values.size != manifest.dimension**2 or not np.isfinite(values).all():
        raise FeedFaultError("an encoder factor is not a finite square of the dimension")


def _check_floats(rows: bytes, manifest: generation_pb2.GenerationManifest, count: int) -> None:
    table = np.frombuffer(rows, "<f4").reshape(count, manifest.dimension)
    if not np.isfinite(table).all():
        raise FeedFaultError("a vector is not finite")
    norm = math.sqrt(float((table.astype(np.float64) ** 2).sum(axis=1).max()))
    if manifest.max_norm > 0 and norm > manifest.max_norm * (1 + _ROUNDING):
        raise FeedFaultError(f"a vector has norm {norm:.6g}, more than {manifest.max_norm:.6g}")
