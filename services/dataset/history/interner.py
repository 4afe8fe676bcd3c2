"""Distinct names and their numbers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class Interner:
    """Gives each name a number, from 0, in order of first appearance."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        """Return the number of a name."""
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self.names)
            self.names.append(name)
        return code

    def codes(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the numbers of names, [n]."""
        for name in dict.fromkeys(names):
            self.code(name)
        return np.fromiter(map(self._codes.__getitem__, names), np.int64, len(names))
