"""Generations that would stop learning or slates: small graphs of harmless content."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from harken.feedback.v1 import generation_pb2, item_pb2
from harken.feedback.v1 import generation_service_pb2 as pb
from services.common.candidate_features import COLUMNS
from services.common.content_features import Content, content_features, hash_features
from services.common.onnx_model import SCORER, TOWER
from services.feedback.generations.domain.bootstrap_models import BUCKETS
from tests.end_to_end.trained_generation import files_of, manifest_of, upload_of
from tests.faults import fault_of, fields_of

DIMENSION = 24
POISON = "poison"
"""An item that two towers fail on, and on nothing else."""
_POISON_CONTENT = content_features(Content(POISON, title="Poison", categories=("odd",)))


def sound_files() -> dict[str, bytes]:
    """Return the files of a generation without fault."""
    items = [item_pb2.Item(item_id=f"i{n}", categories=["odd"]) for n in range(2)]
    return files_of(items, DIMENSION)


def graph(nodes: Sequence[NodeProto], *inner: TensorProto, **constants: np.ndarray) -> bytes:
    """Return a tower of these nodes."""
    made = helper.make_graph(
        list(nodes),
        "tower",
        [helper.make_tensor_value_info("content", TensorProto.FLOAT, ["n", BUCKETS])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made.initializer.extend(inner)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


_node = helper.make_node
_WEIGHTS = np.full((BUCKETS, DIMENSION), 0.01, np.float32)
_PROJECT = _node("MatMul", ["content", "w"], ["projected"])


def after(*nodes: NodeProto, **constants: np.ndarray) -> bytes:
    """Return a tower that projects, and then does this."""
    return graph((_PROJECT, *nodes), w=_WEIGHTS, **constants)


def _near_poison() -> tuple[list[NodeProto], dict[str, np.ndarray]]:
    """Return nodes that give `far` [n, 1]: how far content is from the poison's."""
    probe = hash_features(_POISON_CONTENT, BUCKETS)[:, np.newaxis]
    nodes = [
        _node("MatMul", ["content", "probe"], ["likeness"]),
        _node("Sub", ["likeness", "one"], ["away"]),
        _node("Abs", ["away"], ["far"]),
    ]
    return nodes, {"probe": probe, "one": np.ones(1, np.float32)}


def nan_on_poison() -> bytes:
    nodes, constants = _near_poison()
    return after(
        *nodes,
        _node("Sub", ["far", "near"], ["beyond"]),
        _node("Sqrt", ["beyond"], ["root"]),
        _node("Mul", ["root", "zero"], ["nothing"]),
        _node("Add", ["projected", "nothing"], ["vector"]),
        near=np.full(1, 0.02, np.float32),
        zero=np.zeros(1, np.float32),
        **constants,
    )


def raises_on_poison() -> bytes:
    nodes, constants = _near_poison()
    return after(
        *nodes,
        _node("Less", ["far", "near"], ["is_near"]),
        _node("Cast", ["is_near"], ["row"], to=TensorProto.INT64),
        _node("Gather", ["table", "row"], ["found"]),
        _node("Add", ["projected", "found"], ["vector"]),
        near=np.full(1, 0.02, np.float32),
        table=np.zeros(1, np.float32),
        **constants,
    )


def _loop() -> bytes:
    body = helper.make_graph(
        [_node("Identity", ["go"], ["go_on"]), _node("Identity", ["kept"], ["kept_on"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept_on", TensorProto.FLOAT, None),
        ],
    )
    return after(
        _node("Loop", ["rounds", "", "projected"], ["vector"], body=body),
        rounds=np.array(10, np.int64),
    )


def _external() -> bytes:
    tensor = numpy_helper.from_array(_WEIGHTS, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return graph([_node("MatMul", ["content", "w"], ["vector"])], tensor)


def _many_products() -> bytes:
    """Products of [n, 4096] and [4096, 4096], more of them than the limit of time allows."""
    nodes = [_node("MatMul", ["content", "up"], ["h0"])]
    nodes += [_node("MatMul", [f"h{n}", "square"], [f"h{n + 1}"]) for n in range(400)]
    nodes.append(_node("MatMul", ["h400", "down"], ["vector"]))
    return graph(
        nodes,
        up=np.zeros((BUCKETS, 1500), np.float32),
        square=np.zeros((1500, 1500), np.float32),
        down=np.zeros((1500, DIMENSION), np.float32),
    )


def _wide() -> bytes:
    """An intermediate of 256 * 2048 * 4096 floats: 8 GiB, were it not refused."""
    return after(
        _node("Unsqueeze", ["content", "last"], ["column"]),
        _node("Mul", ["column", "wide"], ["huge"]),
        _node("ReduceSum", ["huge", "axes"], ["sums"], keepdims=1),
        _node("Add", ["projected", "sums"], ["vector"]),
        last=np.array([2], np.int64),
        axes=np.array([1, 2], np.int64),
        wide=np.ones((1, 1, 4096), np.float32),
    )


def _sized_by_data() -> bytes:
    """As much of a constant is summed up as the largest value of the content says."""
    return after(
        _node("ReduceMax", ["content"], ["most"], keepdims=0),
        _node("Cast", ["most"], ["whole"], to=TensorProto.INT64),
        _node("Unsqueeze", ["whole", "first"], ["end"]),
        _node("Slice", ["wide", "first", "end", "first"], ["part"]),
        _node("ReduceSum", ["part"], ["sum"], keepdims=0),
        _node("Add", ["projected", "sum"], ["vector"]),
        first=np.array([0], np.int64),
        wide=np.zeros(100, np.float32),
    )


def _some_numbers_of_rows() -> bytes:
    """A table has a place for each number of rows, but for the largest."""
    return after(
        _node("Shape", ["content"], ["shape"]),
        _node("Gather", ["shape", "first"], ["rows"]),
        _node("Gather", ["table", "rows"], ["found"]),
        _node("Add", ["projected", "found"], ["vector"]),
        first=np.array([0], np.int64),
        table=np.zeros(200, np.float32),
    )


def scorer(*nodes: NodeProto, **constants: np.ndarray) -> bytes:
    """Return a scorer that makes `sums` [n, 1] of its features, and then does this."""
    columns = len(COLUMNS)
    made = helper.make_graph(
        [_node("MatMul", ["features", "w"], ["sums"]), *nodes],
        "scorer",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", columns])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(value, name)
            for name, value in {"w": np.ones((columns, 1), np.float32), **constants}.items()
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _slow_scorer() -> bytes:
    """Some tenths of a second for 256 rows: one slate would wait, and all others for it."""
    nodes = [_node("MatMul", ["sums", "up"], ["h0"])]
    nodes += [_node("MatMul", [f"h{n}", "square"], [f"h{n + 1}"]) for n in range(40)]
    nodes.append(_node("MatMul", ["h40", "down"], ["scores"]))
    return scorer(
        *nodes,
        up=np.zeros((1, 1000), np.float32),
        square=np.zeros((1000, 1000), np.float32),
        down=np.zeros((1000, 1), np.float32),
    )


_IDENTITY = _node("Identity", ["projected"], ["vector"])
_ODD = {
    "tower gives NaN": after(
        _node("Sub", ["projected", "ten"], ["below"]),
        _node("Sqrt", ["below"], ["vector"]),
        ten=np.full(1, 10.0, np.float32),
    ),
    "tower gives infinity": after(
        _node("Div", ["projected", "zero"], ["vector"]), zero=np.zeros(1, np.float32)
    ),
    "tower raises": after(
        _node("Reshape", ["projected", "shape"], ["vector"]), shape=np.array([7, 24], np.int64)
    ),
    "one row for all": after(_node("ReduceSum", ["projected", "axes"], ["vector"]),
                             axes=np.array([0], np.int64)),
    "needs gigabytes": _wide(),
    "runs too long": _many_products(),
    "unknown operator": after(_node("Mystery", ["projected"], ["vector"])),
    "operator of another domain": after(
        _node("FusedMatMul", ["content", "w"], ["vector"], domain="com.microsoft")
    ),
    "random": after(_node("RandomNormalLike", ["projected"], ["vector"])),
    "loop": _loop(),
    "external data": _external(),
    "another dimension": graph([_node("MatMul", ["content", "w"], ["vector"])],
                               w=_WEIGHTS[:, :-1]),
    "no model": b"this is no model",
    "size from data": _sized_by_data(),
    "some numbers of rows": _some_numbers_of_rows(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trap:
    """A generation, and the fields that PublishGeneration refuses; none: it is accepted."""

    name: str
    fields: frozenset[str]
    tower: bytes | None = None
    scorer: bytes | None = None
    manifest: dict[str, Any] = field(default_factory=dict)
    damage: Callable[[generation_pb2.GenerationManifest, dict[str, bytes]], None] | None = None


def _lie(manifest: generation_pb2.GenerationManifest, files: dict[str, bytes]) -> None:
    manifest.files[1].sha256 = bytes(32)


def _truncate(manifest: generation_pb2.GenerationManifest, files: dict[str, bytes]) -> None:
    files[SCORER] = files[SCORER][:-1]


def _bias(manifest: generation_pb2.GenerationManifest, files: dict[str, bytes]) -> None:
    held = generation_pb2.ItemVectorFile(
        item_ids=["i0"],
        vectors=bytes(4 * DIMENSION),
        biases=np.array([1e9], "<f4").tobytes(),
    )
    _set_vectors(manifest, files, held.SerializeToString())


def _empty_ids(manifest: generation_pb2.GenerationManifest, files: dict[str, bytes]) -> None:
    """Two bytes each in the file, dozens in memory."""
    _set_vectors(manifest, files, b"\x0a\x00" * 2_000_000)


def _set_vectors(
    manifest: generation_pb2.GenerationManifest, files: dict[str, bytes], content: bytes
) -> None:
    name = "item_vectors.pb"
    files[name] = content
    for one in manifest.files:
        if one.name == name:
            one.size = len(files[name])
            one.sha256 = hashlib.sha256(files[name]).digest()


_TOWER_FIELD = frozenset({"manifest.files[0]"})
_SCORER_FIELD = frozenset({"manifest.files[1]"})
TRAPS = (
    *(Trap(name, _TOWER_FIELD, tower) for name, tower in _ODD.items()),
    Trap(
        "names of features in another order",
        frozenset({"manifest.scorer_features"}),
        manifest={"scorer_features": COLUMNS[::-1]},
    ),
    Trap(
        "too many buckets",
        frozenset({"manifest.content_buckets"}),
        manifest={"content_buckets": 1 << 20},
    ),
    Trap("checksum lies", frozenset({"manifest.files[1].sha256"}), damage=_lie),
    Trap("cut short", frozenset({"manifest.files[1].size"}), damage=_truncate),
    Trap("bias out of bound", frozenset({"manifest.files[2]"}), damage=_bias),
    Trap("very many empty ids", frozenset({"manifest.files[2]"}), damage=_empty_ids),
    Trap("slow scorer", _SCORER_FIELD, scorer=_slow_scorer()),
    Trap(
        "scores that depend on the other rows",
        _SCORER_FIELD,
        scorer=scorer(
            _node("ReduceMax", ["sums"], ["most"], axes=[0], keepdims=1),
            _node("Sub", ["sums", "most"], ["scores"]),
        ),
    ),
    Trap("NaN on an item that comes later", frozenset(), nan_on_poison()),
    Trap("raises on an item that comes later", frozenset(), raises_on_poison()),
)
"""25 kinds."""


async def publish_trap(generation: Any, trap: Trap, name: str) -> str:
    """Publish a trap with a GenerationService stub; return what is surprising, or ""."""
    files = sound_files()
    if trap.tower is not None:
        files[TOWER] = trap.tower
    if trap.scorer is not None:
        files[SCORER] = trap.scorer
    manifest = manifest_of(name, DIMENSION, files)
    if "scorer_features" in trap.manifest:
        manifest.scorer_features[:] = trap.manifest["scorer_features"]
    if "content_buckets" in trap.manifest:
        manifest.content_buckets = trap.manifest["content_buckets"]
    if trap.damage is not None:
        trap.damage(manifest, files)
    call: Awaitable[Any] = generation.PublishGeneration(upload_of(manifest, files), timeout=120)
    if not trap.fields:
        await call
        return ""
    error = await fault_of(call)
    if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
        return f"{error.code().name}: {error.details()}"
    found = set(fields_of(error))
    return "" if found == trap.fields else f"fields {sorted(found)}"


async def state_of(generation: Any, name: str) -> tuple[int, str]:
    """Return state and reason of a generation."""
    answer = await generation.ListGenerations(pb.ListGenerationsRequest())
    for one in answer.generations:
        if one.manifest.generation_id == name:
            return one.state, one.retired_reason
    return 0, ""
