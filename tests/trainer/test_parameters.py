"""Parameters survive their file, and faults in it are named."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.trainer.fold_in_model import FoldInOptions
from services.trainer.ials import IalsOptions
from services.trainer.parameters import (
    Parameters,
    ParametersError,
    parameters_of,
    read_parameters,
    write_parameters,
)


@pytest.mark.parametrize("name", ["p.toml", "p.json"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    own = replace(
        Parameters(),
        ials=IalsOptions(dimension=16, alpha=0.25),
        fold_in=FoldInOptions(decay=0.7),
        median_norm=0.3,
    )
    write_parameters(tmp_path / name, own)
    assert read_parameters(tmp_path / name) == own
    write_parameters(tmp_path / name, Parameters())
    assert read_parameters(tmp_path / name) == Parameters()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"ails": {}}, "'ails' is unknown"),
        ({"ials": {"dims": 3}}, "no 'dims'"),
        ({"ials": {"sweeps": "many"}}, "sweeps = 'many' is of the wrong kind"),
        ({"ials": {"sweeps": True}}, "wrong kind"),
        ({"median_norm": "long"}, "misplaced"),
    ],
)
def test_faults_are_named(found: dict, said: str) -> None:
    with pytest.raises(ParametersError, match=said):
        parameters_of(found)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ParametersError, match=r"none\.toml"):
        read_parameters(tmp_path / "none.toml")
