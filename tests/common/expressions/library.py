"""What the library itself says of one item: the oracle of masks."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from cel_expr_python import cel
from google.protobuf import timestamp_pb2

from services.common.expressions.request import Request
from tests.common.expressions.made_columns import Item


def says(text: str, items: Sequence[Item], request: Request) -> list[bool | None]:
    """Return the value for each item; None: an error."""
    # That the types fit was checked; of what is in maps the checker takes some for ints.
    compiled = environment().compile(text, disable_check=True)
    return [_plain(compiled.eval(data=_data(item, request))) for item in items]


@functools.cache
def environment() -> cel.Env:
    """Items are maps, whose keys may be absent."""
    kinds = cel.Type
    return cel.NewEnv(
        variables={
            "item": kinds.DYN,
            "user": kinds.Map(kinds.STRING, kinds.DYN),
            "context": kinds.Map(kinds.STRING, kinds.STRING),
            "now": kinds.DYN,
        }
    )


def _plain(value: cel.Value) -> bool | None:
    # An error is a value here, with a text for a plain value.
    if value.type() == cel.Type.ERROR:
        return None
    plain = value.plain_value()
    # What only the request knows the type of may turn out to be no truth value.
    return plain if isinstance(plain, bool) else None


def _data(item: Item, request: Request) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"tags": [], "categories": [], "numbers": {}}
    for name, value in item.items():
        # A time in a map is an error, unless it is a message.
        shown[name] = _time(value) if name.endswith("_time") else value
    return {
        "item": shown,
        "user": request.user,
        "context": request.context,
        "now": _time(request.now_us),
    }


def _time(us: int) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=us // 10**6, nanos=us % 10**6 * 1000)
