"""What stands at a path of fields in a request, such as `events.subject`."""

from collections.abc import Iterator
from typing import Any


def path_of(text: str) -> tuple[str, ...]:
    """Return a path as written in `rules`; empty for none."""
    return tuple(text.split(".")) if text else ()


def values_at(message: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield what stands at a path, of lists all; nothing where a message on the way is not set."""
    if not path:
        return
    first, rest = path[0], path[1:]
    field = message.DESCRIPTOR.fields_by_name[first]
    value = getattr(message, first)
    if field.is_repeated:
        for one in value:
            yield from values_at(one, rest) if rest else (one,)
    elif not rest:
        yield value
    elif message.HasField(first):
        yield from values_at(value, rest)
