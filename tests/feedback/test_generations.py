"""Generations: the bootstrap one at once, published ones checked as a whole."""

import hashlib
from collections.abc import AsyncIterator

import grpc
import numpy as np
import onnxruntime
import pytest

from harken.feedback.v1 import generation_pb2
from harken.feedback.v1 import generation_service_pb2 as pb
from services.common.candidate_features import COLUMNS, OLDEST_COLUMNS
from services.feedback.generations.domain.bootstrap_models import BUCKETS, item_tower, prior_scorer
from services.feedback.generations.outcome_conversion import outcome_definitions, outcome_message
from tests.faults import fault_of, fields_of, violations_of
from tests.feedback.conftest import Client

FILES = {"item_tower.onnx": item_tower(8), "scorer.onnx": prior_scorer()}


def manifest(generation_id: str, **changes: object) -> generation_pb2.GenerationManifest:
    fields = {
        "generation_id": generation_id,
        "dimension": 8,
        "max_norm": 3.0,
        "encoder": generation_pb2.Encoder(
            kind=generation_pb2.ENCODER_KIND_FOLD_IN,
            length=30,
            decay=0.8,
            alpha=1.0,
            regularization=0.2,
        ),
        "scorer_features": COLUMNS,
        "outcomes": [generation_pb2.Outcome(name="engage", weight=1.0)],
        "content_buckets": BUCKETS,
        "files": [
            generation_pb2.GenerationFile(
                name=name, size=len(data), sha256=hashlib.sha256(data).digest()
            )
            for name, data in FILES.items()
        ],
    }
    return generation_pb2.GenerationManifest(**{**fields, **changes})  # type: ignore[arg-type]


async def publish(
    client: Client,
    described: generation_pb2.GenerationManifest,
    files: dict[str, bytes] | None = None,
) -> pb.PublishGenerationResponse:
    async def messages() -> AsyncIterator[pb.PublishGenerationRequest]:
        yield pb.PublishGenerationRequest(manifest=described)
        for name, data in (FILES if files is None else files).items():
            for start in range(0, len(data), 100_000):
                chunk = pb.FileChunk(name=name, data=data[start : start + 100_000])
                yield pb.PublishGenerationRequest(chunk=chunk)

    response: pb.PublishGenerationResponse = await client.generation.PublishGeneration(messages())
    return response


async def download(
    client: Client, generation_id: str = ""
) -> tuple[generation_pb2.GenerationManifest, dict[str, bytes]]:
    files: dict[str, bytes] = {}
    described = None
    request = pb.DownloadGenerationRequest(generation_id=generation_id)
    async for message in client.generation.DownloadGeneration(request):
        if message.HasField("manifest"):
            described = message.manifest
        else:
            files[message.chunk.name] = files.get(message.chunk.name, b"") + message.chunk.data
    assert described is not None
    return described, files


async def test_the_bootstrap_generation_can_be_downloaded_and_runs(client: Client) -> None:
    described, files = await download(client)
    assert described.generation_id == "bootstrap-16"
    for file in described.files:
        assert hashlib.sha256(files[file.name]).digest() == file.sha256
    tower = onnxruntime.InferenceSession(files["item_tower.onnx"])
    (vectors,) = tower.run(None, {"content": np.eye(3, BUCKETS, dtype=np.float32)})
    assert vectors.shape == (3, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 0.5, atol=1e-6)


async def test_a_published_generation_comes_back_byte_by_byte(client: Client) -> None:
    published = (await publish(client, manifest("mine-1"))).manifest
    assert published.HasField("publish_time")
    described, files = await download(client, "mine-1")
    assert files == FILES
    assert described == published
    listed = await client.generation.ListGenerations(pb.ListGenerationsRequest())
    states = {one.manifest.generation_id: one.state for one in listed.generations}
    assert states["mine-1"] == generation_pb2.GENERATION_STATE_PUBLISHED
    assert states["bootstrap-16"] == generation_pb2.GENERATION_STATE_ACTIVE
    # The same again is fine, something else under the id is not.
    assert (await publish(client, manifest("mine-1"))).manifest == published
    error = await fault_of(publish(client, manifest("mine-1", max_norm=2.0)))
    assert error.code() == grpc.StatusCode.ALREADY_EXISTS


async def test_the_feature_that_is_wrong_is_named(client: Client) -> None:
    swapped = [COLUMNS[0], COLUMNS[2], COLUMNS[1], *COLUMNS[3:]]
    for names, wrong in (
        (swapped, f"'{COLUMNS[2]}' stands where they have '{COLUMNS[1]}'"),
        (COLUMNS[: OLDEST_COLUMNS - 1], f"there are {OLDEST_COLUMNS - 1}"),
    ):
        ((field, said),) = await violations_of(
            publish(client, manifest("bad", scorer_features=names))
        )
        assert field == "manifest.scorer_features"
        assert said.endswith(wrong)


DAY = 86_400_000_000
AFTER, UNTIL = (f"manifest.outcomes[0].return_window.{name}" for name in ("after", "until"))


def delayed(**window_us: float) -> generation_pb2.Outcome:
    outcome = generation_pb2.Outcome(name="back", weight=1)
    outcome.return_window.SetInParent()
    for name, value in window_us.items():
        getattr(outcome.return_window, name).FromMicroseconds(int(value))
    return outcome


async def test_windows_of_delayed_outcomes_are_kept_to_the_microsecond(client: Client) -> None:
    for name, after, until in (("least", 1e6, 1e6 + 1), ("most", 29 * DAY, 30 * DAY)):
        one = delayed(after=after, until=until)
        await publish(client, manifest(name, outcomes=[one]))
        described, _ = await download(client, name)
        assert list(described.outcomes) == [one]
        assert list(map(outcome_message, outcome_definitions([one]))) == [one]


BAD = {
    "id": (manifest("Not An Id"), None, {"manifest.generation_id"}),
    "dimension": (manifest("bad", dimension=0), None, {"manifest.dimension"}),
    "size": (
        manifest("bad", metrics={f"{n:04}" + "m" * 60: 1.0 for n in range(4000)}),
        None,
        {"manifest"},
    ),
    "no files": (manifest("bad", files=[]), {}, {"manifest.files"}),
    "cut short": (
        manifest("bad"),
        {**FILES, "scorer.onnx": FILES["scorer.onnx"][:-1]},
        {"manifest.files[1].size"},
    ),
    "damaged": (
        manifest("bad"),
        {**FILES, "scorer.onnx": FILES["scorer.onnx"][:-1] + b"\x00"},
        {"manifest.files[1].sha256"},
    ),
    "other names": (
        manifest(
            "bad",
            files=[
                generation_pb2.GenerationFile(
                    name=name,
                    size=len(FILES["item_tower.onnx"]),
                    sha256=hashlib.sha256(FILES["item_tower.onnx"]).digest(),
                )
                for name in FILES
            ],
        ),
        dict.fromkeys(FILES, FILES["item_tower.onnx"]),
        {"manifest.files[1]"},
    ),
    "another shape": (manifest("bad", dimension=9), None, {"manifest.files[0]"}),
    "no window": (manifest("bad", outcomes=[delayed()]), None, {AFTER, UNTIL}),
    "at once": (manifest("bad", outcomes=[delayed(after=999_999, until=9e6)]), None, {AFTER}),
    "never": (
        manifest("bad", outcomes=[delayed(after=29 * DAY + 1, until=0)]),
        None,
        {AFTER, UNTIL},
    ),
    "no time": (manifest("bad", outcomes=[delayed(after=DAY, until=DAY)]), None, {UNTIL}),
    "before": (manifest("bad", outcomes=[delayed(after=-DAY, until=DAY)]), None, {AFTER}),
    "too long": (manifest("bad", outcomes=[delayed(after=DAY, until=30 * DAY + 1)]), None, {UNTIL}),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_upload_stores_nothing_and_names_the_field(client: Client, name: str) -> None:
    described, files, fields = BAD[name]
    error = await fault_of(publish(client, described, files))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == fields
    error = await fault_of(download(client, "bad"))
    assert error.code() == grpc.StatusCode.NOT_FOUND
