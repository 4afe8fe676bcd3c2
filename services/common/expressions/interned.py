"""Texts by code, found by text at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload


class Interned(Sequence[str]):
    """Shows a list of texts, each once, with its reverse as `index`.

    A plain list does as the values of a column too, but looks through all of them for each text
    that an expression names.
    """

    __slots__ = ("_codes", "_values")

    def __init__(self, values: Sequence[str], codes: Mapping[str, int]) -> None:
        """Show `values`; `codes` gives the place of each. Both are shared, and may grow."""
        self._values = values
        self._codes = codes

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._values[index]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        # That of a sequence asks for one at a time, which takes ten times as long.
        return iter(self._values)

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the code of a text.

        Raises:
            ValueError: no value is this text.

        """
        code = self._codes.get(value)
        if code is None or not start <= code < (len(self) if stop is None else stop):
            raise ValueError(f"{value!r} is not among the texts")
        return code
