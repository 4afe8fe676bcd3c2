"""A value that may change while the process runs, held where it is used."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Reloadable(Generic[T]):
    """Holds a value that one place sets and others read; belongs to one event loop."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._derived: list[Callable[[T], None]] = []

    def set(self, value: T) -> None:
        """Replace the value, and what is derived from it."""
        self.value = value
        for derive in self._derived:
            derive(value)

    def on_change(self, act: Callable[[], None]) -> None:
        """Call `act` after every change."""
        self._derived.append(lambda _value: act())

    def map(self, make: Callable[[T], U]) -> "Reloadable[U]":
        """Return what `make` makes of the value, made anew whenever the value is set."""
        derived = Reloadable(make(self.value))
        self._derived.append(lambda value: derived.set(make(value)))
        return derived
