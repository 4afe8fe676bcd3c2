"""`harken tune` and `harken train`, as commands, on a small file."""

from pathlib import Path

import pytest

from services.trainer.parameters import read_parameters
from tests.cli.harken_process import harken
from tests.trainer.made import tasteful

pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
pytest.importorskip("optuna", reason="Optuna is not installed: extra `train`")

SMALL = """
median_norm = 0.5
[ials]
dimension = 8
sweeps = 2
[tower]
epochs = 2
[encoder]
epochs = 1
"""


def history(folder: Path) -> Path:
    events = tasteful().events
    rows = [
        f"{events.user_ids[user]},{events.item_ids[item]},{time // 10**6}"
        for user, item, time in zip(
            events.users.tolist(), events.items.tolist(), events.times_us.tolist(), strict=True
        )
    ]
    path = folder / "events.csv"
    path.write_text("user,item,timestamp\n" + "\n".join(rows) + "\n")
    (folder / "small.toml").write_text(SMALL)
    return path


async def test_tune_finds_parameters_that_train_takes(tmp_path: Path) -> None:
    file = history(tmp_path)
    tuned = await harken(
        "tune", str(file), "--type", "view", "--trials", "3", "--parameters", "small.toml",
        "--out", "best.toml", "--storage", "trials.db", folder=tmp_path, seconds=240,
    )  # fmt: skip
    assert tuned.code == 0, tuned.errors
    assert "3 trials" in tuned.output
    best = read_parameters(tmp_path / "best.toml")
    assert best.ials.dimension == 8
    assert best.fold_in is not None
    # A search goes on from its storage: three are there, one is added.
    more = await harken(
        "tune", str(file), "--type", "view", "--trials", "4", "--parameters", "small.toml",
        "--out", "best.toml", "--storage", "trials.db", folder=tmp_path, seconds=240,
    )  # fmt: skip
    assert more.code == 0, more.errors
    assert more.errors.count("trial ") == 1
    train = ("train", str(file), "--type", "view", "--parameters", "best.toml",
             "--out", "generation", "--id", "mine")  # fmt: skip
    # What is learned online is as good on these events, and that is said.
    none = await harken(*train, folder=tmp_path, seconds=240)
    assert none.code == 3, none.errors
    assert "no better generation was found" in none.errors
    assert not (tmp_path / "generation").exists()
    assert "against" in (tmp_path / "generation.model_card.md").read_text()
    trained = await harken(*train, "--keep-anyway", folder=tmp_path, seconds=240)
    assert trained.code == 0, trained.errors
    assert "generation mine is in generation" in trained.output
    assert (tmp_path / "generation" / "manifest.json").exists()
    assert not (tmp_path / "generation.work").exists(), "the work folder was left behind"


async def test_options_of_encoders_are_tuned_as_well(tmp_path: Path) -> None:
    tuned = await harken(
        "tune", str(history(tmp_path)), "--type", "view", "--trials", "1", "--encoder", "gru",
        "--parameters", "small.toml", "--out", "best.json", folder=tmp_path, seconds=240,
    )  # fmt: skip
    assert tuned.code == 0, tuned.errors
    assert read_parameters(tmp_path / "best.json").encoder.kind == "gru"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "none.csv", "--out", "g"], "there is no file none.csv"),
        (["train", "events.csv", "--out", "g", "--preset", "zoo"], "no preset 'zoo'"),
        (["train", "events.csv", "--out", "g", "--engine", "spark"], "no engine 'spark'"),
        (["train", "events.csv", "--out", "g", "--parameters", "x.toml"], "x.toml"),
        (
            ["train", "events.csv", "--out", "g", "--returns", "36-12"],
            "--returns: '36-12': its end",
        ),
        (["tune", "events.csv", "--encoder", "lstm", "--trials", "1"], "no encoder 'lstm'"),
    ],
)
async def test_faults_are_one_clear_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    history(tmp_path)
    found = await harken(*arguments, folder=tmp_path, seconds=120)
    assert found.code == 1, found.errors
    assert said in " ".join(found.errors.split())
    assert "Traceback" not in found.errors
