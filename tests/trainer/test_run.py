"""A whole run: from events to a folder that the feedback service takes."""

# What needs PyTorch is imported where it is known to be there.

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harken.feedback.v1 import generation_pb2 as pb
from services.common.onnx_model import ITEM_VECTORS, SCORER, TOWER
from services.feedback.generations.generation_upload import GenerationUpload
from services.trainer.encoder_options import EncoderOptions
from services.trainer.generation import (
    GenerationError,
    item_vectors_file,
    read_generation,
    upload,
    write_generation,
)
from services.trainer.ials import IalsOptions
from services.trainer.item_vectors import previous_vectors
from services.trainer.parameters import Parameters
from services.trainer.tower_options import TowerOptions
from tests.trainer.made import tasteful

pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
from services.trainer import run
from services.trainer.presets import outcomes_of, return_window
from services.trainer.run import Plan, TrainingRun

SMALL = Parameters(
    ials=IalsOptions(dimension=16, sweeps=3),
    tower=TowerOptions(hidden=16, epochs=4),
    encoder=EncoderOptions(length=6, hidden=16, heads=2, blocks=1, epochs=2),
)


@contextlib.contextmanager
def silent(what: str, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def plan_of(folder: Path, **changes: object) -> Plan:
    plan = Plan(
        "trained-1", folder / "generation", folder / "work", SMALL, buckets=256, keep_anyway=True
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


async def test_the_feedback_service_takes_what_is_written(tmp_path: Path) -> None:
    data = tasteful()
    outcomes = outcomes_of("shopping", engage=False, returns=return_window("12-36"))
    plan = plan_of(tmp_path, encoders=("gru",), deep=True, outcomes=outcomes)
    trained = TrainingRun(data, plan, silent).run()
    manifest, files = read_generation(plan.out)
    received = GenerationUpload()
    messages = upload(manifest, files)
    received.begin(next(messages))
    for message in messages:
        received.add(message)
    stored, contents = await received.finish()
    assert stored.generation_id == "trained-1"
    assert set(contents) == {TOWER, SCORER, ITEM_VECTORS}
    assert [one.name for one in stored.outcomes] == ["click", "purchase", "hide", "return"]
    assert stored.outcomes[3].return_window.after.ToSeconds() == 12 * 3600
    assert stored.outcomes[3].return_window.until.ToSeconds() == 36 * 3600
    vectors = pb.ItemVectorFile.FromString(contents[ITEM_VECTORS])
    assert list(vectors.item_ids) == [f"i{n}" for n in range(40)]
    assert set(trained.metrics) == set(stored.metrics)
    for name in ("online_ndcg10", "fold_in_ndcg10", "gru_ndcg10", "new_items_tower_hr10"):
        assert 0 <= trained.metrics[name] <= 1
    assert (plan.out / "encoder.onnx").stat().st_size > 0
    card = (plan.out / "model_card.md").read_text()
    for said in ("1970-01-01 00:00:01 UTC", "| events | 1,500 |", "online_ndcg10", "seed", "torch",
                 "What is published was trained on the whole range"):  # fmt: skip
        assert said in card
    assert "was written" not in card


def test_the_same_run_gives_the_same_bytes_also_when_it_goes_on(tmp_path: Path) -> None:
    data = tasteful()
    whole = plan_of(tmp_path / "whole")
    TrainingRun(data, whole, silent).run()

    @contextlib.contextmanager
    def stopping(what: str, total: int) -> Iterator[Callable[[int], None]]:
        def show(done: int) -> None:
            if what == "final: iALS" and done > total / 2:
                raise KeyboardInterrupt

        yield show

    parted = plan_of(tmp_path / "parted")
    with pytest.raises(KeyboardInterrupt):
        TrainingRun(data, parted, stopping).run()
    assert not parted.out.exists(), "half a generation was written"
    TrainingRun(data, parted, silent).run()
    assert read_generation(parted.out) == read_generation(whole.out)


def test_a_second_generation_lives_in_the_space_of_the_first(tmp_path: Path) -> None:
    data = tasteful()
    first = plan_of(tmp_path / "first")
    TrainingRun(data, first, silent).run()
    old = previous_vectors(first.out)
    again = replace(SMALL, ials=IalsOptions(dimension=16, sweeps=3, seed=5))
    cosines = {}
    for name, previous in (("apart", {}), ("turned", old)):
        plan = plan_of(tmp_path / name, parameters=again, previous=previous)
        TrainingRun(data, plan, silent).run()
        new = previous_vectors(plan.out)
        pairs = [(new[item], old[item]) for item in old]
        cosines[name] = np.mean([a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) for a, b in pairs])
    assert cosines["turned"] > cosines["apart"] + 0.3


def test_without_a_window_it_trains_all_the_same(tmp_path: Path) -> None:
    data = tasteful()
    plan = plan_of(tmp_path)
    TrainingRun(replace(data, validation_start=len(data.events)), plan, silent).run()
    manifest, _ = read_generation(plan.out)
    assert manifest.encoder.length > 0


def test_what_cannot_be_judged_is_not_made_unless_it_is_asked_for(tmp_path: Path) -> None:
    data = tasteful()
    plan = plan_of(tmp_path, keep_anyway=False)
    trained = TrainingRun(replace(data, validation_start=len(data.events)), plan, silent).run()
    assert not trained.made
    assert not plan.out.exists()
    assert "not judged" in trained.card
    assert "No generation of this name was written" in trained.card


def test_what_is_no_better_is_not_made_and_the_card_says_by_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "best_of", lambda found: None)
    plan = plan_of(tmp_path, keep_anyway=False)
    trained = TrainingRun(tasteful(), plan, silent).run()
    assert not trained.made
    assert not plan.out.exists()
    for said in ("no better generation was found", "with vectors + tower: new items", "against",
                 "No generation of this name was written"):  # fmt: skip
        assert said in trained.card
    assert "What is published" not in trained.card


def test_only_a_generation_is_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "letter.txt").write_text("dear")
    with pytest.raises(GenerationError, match="holds no generation"):
        write_generation(precious, pb.GenerationManifest(), {}, {})
    assert (precious / "letter.txt").read_text() == "dear"


def test_vectors_that_would_be_refused_are_not_written() -> None:
    with pytest.raises(GenerationError, match="norm"):
        item_vectors_file(["a"], np.full((1, 4), 9.0, np.float32), 3.0)
    with pytest.raises(GenerationError, match="twice"):
        item_vectors_file(["a", "a"], np.zeros((2, 4), np.float32), 3.0)


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    data = tasteful()
    plan = plan_of(tmp_path)
    TrainingRun(replace(data, validation_start=len(data.events)), plan, silent).run()
    path = plan.out / TOWER
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(GenerationError, match=TOWER):
        read_generation(plan.out)
