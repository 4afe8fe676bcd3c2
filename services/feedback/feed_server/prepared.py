"""What was made lately, for all subscribers that want the same about the same time."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MOST_PREPARED = 16

_Key = TypeVar("_Key", bound=Hashable)
_Made = TypeVar("_Made")


class Prepared(Generic[_Key, _Made]):
    """The newest few."""

    def __init__(self) -> None:
        self._made: dict[_Key, _Made] = {}

    def get(self, key: _Key, make: Callable[[], _Made]) -> _Made:
        """Return what is there by a key; make it when it is not."""
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = make()
            if len(self._made) > MOST_PREPARED:
                del self._made[next(iter(self._made))]
        return made
