"""Checkpoints of training: written in one step, so that an interrupt leaves the one before."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


class CheckpointError(Exception):
    """A checkpoint does not fit; the message says why and what to do."""


class Checkpoint:
    """One file of arrays, with the facts that made it: it is only resumed under the same facts."""

    def __init__(self, path: Path, facts: Mapping[str, object]) -> None:
        """Keep a checkpoint at `path`; facts must survive JSON."""
        self._path = path
        self._facts = json.dumps(facts, sort_keys=True, default=str)

    def read(self) -> Arrays | None:
        """Return what was written under the same facts, else None.

        Raises:
            CheckpointError: the file is damaged.

        """
        if not self._path.exists():
            return None
        try:
            with np.load(self._path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            facts = str(arrays.pop("facts"))
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise CheckpointError(
                f"{self._path} is damaged ({error}): delete it to start over"
            ) from None
        return arrays if facts == self._facts else None

    def write(self, arrays: Arrays) -> None:
        """Replace the checkpoint."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, facts=np.array(self._facts), **arrays)
        partial.replace(self._path)

    def remove(self) -> None:
        """Delete the checkpoint, when there is one."""
        self._path.unlink(missing_ok=True)
