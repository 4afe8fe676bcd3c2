"""Distinct names and their numbers."""

import numpy as np
import numpy.typing as npt

EMPTY = -1
BAD_TEXT = -2


class Interner:
    """Gives each name a number, from 0, in order of first appearance."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {"": EMPTY}

    def code(self, name: str) -> int:
        """Return the number of a name: EMPTY for "", BAD_TEXT for what is no UTF-8."""
        code = self._codes.get(name)
        if code is None:
            try:
                name.encode()
            except UnicodeEncodeError:
                code = BAD_TEXT
            else:
                code = len(self.names)
                self.names.append(name)
            self._codes[name] = code
        return code

    def codes(self, names: list[str]) -> npt.NDArray[np.int64]:
        """Return the numbers of names, [n]."""
        for name in dict.fromkeys(names):
            self.code(name)
        return np.fromiter(map(self._codes.__getitem__, names), np.int64, len(names))
