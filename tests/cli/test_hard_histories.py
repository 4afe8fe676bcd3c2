"""Histories as they really are, through `harken train` and `harken evaluate --train`."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cli.app import create_app
from services.trainer.generation import read_generation

pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
pytest.importorskip("onnxscript", reason="onnxscript is not installed: extra `train`")

Row = tuple[int, int, int]
"""User, item, second."""
N = 240
SMALL = """[ials]
dimension = 8
sweeps = 2
[tower]
hidden = 8
epochs = 2
"""


def drawn(most: int) -> list[int]:
    return [int(one) for one in np.random.default_rng(most).integers(0, most, N)]


def rows(users: Iterable[int], items: Iterable[int], seconds: Iterable[int]) -> list[Row]:
    return list(zip(users, items, seconds, strict=True))


HISTORIES: Mapping[str, Callable[[], list[Row]]] = {
    "sessions": lambda: rows((n // 4 for n in range(N)), drawn(20), range(N)),
    "without content": lambda: rows(drawn(20), drawn(15), range(N)),
    "one item type": lambda: rows(drawn(20), drawn(25), range(N)),
    "items that come late": lambda: rows(drawn(12), (n // 6 for n in range(N)), range(N)),
    "lone items": lambda: rows(drawn(20), range(N), range(N)),
    "one day": lambda: rows(drawn(20), drawn(15), sorted(drawn(86_400))),
    "one user": lambda: rows((0 for _ in range(N)), drawn(15), range(N)),
    "repeated rows": lambda: [row for row in rows(drawn(20), drawn(15), range(N))[::4]
                              for _ in range(4)],
}  # fmt: skip


def written(folder: Path, kind: str) -> list[str]:
    """Write a history and its parameters; return how a command is told of it."""
    found = HISTORIES[kind]()
    who = "session_id" if kind == "sessions" else "user_id"
    lines = [f"{who},item_id,timestamp"]
    lines += [f"{user},{item},{1_700_000_000 + second}" for user, item, second in found]
    (folder / "events.csv").write_text("\n".join(lines) + "\n")
    (folder / "small.toml").write_text(SMALL)
    options = [str(folder / "events.csv"), "--parameters", str(folder / "small.toml")]
    if kind == "sessions":
        return [*options, "--session-column", "session_id"]
    if kind == "without content":
        return options
    # Half of the items are described, all of one kind.
    known = sorted({item for _, item, _ in found})[::2]
    described = [f"{item},Thing {item},thing" for item in known]
    (folder / "items.csv").write_text("\n".join(["item_id,title,category", *described]) + "\n")
    return [*options, "--items", str(folder / "items.csv")]


@pytest.mark.parametrize("kind", HISTORIES)
def test_a_generation_is_trained(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "generation"
    options = [*written(tmp_path, kind), "--out", str(out), "--groups", "100", "--keep-anyway"]
    done = CliRunner().invoke(create_app(), ["train", *options])
    assert done.exit_code == 0, done.output
    manifest, _ = read_generation(out)
    assert manifest.dimension == 8
    card = (out / "model_card.md").read_text()
    assert "better" in card
    assert not (tmp_path / "generation.work").exists()


@pytest.mark.parametrize("kind", HISTORIES)
def test_it_is_evaluated_before_and_after_a_split(kind: str, tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    options = ["--train", "--keep-anyway", "--arms", "full", "--no-baselines",
               "--repeats", "include", "--limit", "40"]  # fmt: skip
    done = CliRunner().invoke(
        create_app(), ["evaluate", *written(tmp_path, kind), *options, "--json", str(found)]
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(found.read_text())["arms"]["full"]["figures"][0]
    assert 0 <= figures["ndcg"] <= 1
