"""What a mask over a catalogue takes: python -m tests.benchmarks.expressions [items]

Time of the CPU, in one thread, on made-up items: titles and ids all differ, 5,000 owners, 3 of 200
categories and 5 of 2,000 tags each, one price in ten absent. "again" is a mask that is kept because
it reads nothing but items. The last line of the table parses, which is once for each expression.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from services.common.expressions.columns import (
    Numbers,
    TextField,
    TextLists,
    Texts,
    TextsField,
    TimeField,
    Times,
)
from services.common.expressions.expression import parse_filter
from services.common.expressions.interned import Interned
from services.common.expressions.mask_cache import MaskCache
from services.common.expressions.request import Request

_NOW = 1_700_000_000_000_000
_YEAR = 365 * 86_400 * 10**6
EXPRESSIONS = (
    "item.numbers.price < 20",
    '"c7" in item.categories && item.numbers.price <= 50',
    'item.owner in ["o1", "o2", "o3"] || has(item.expire_time)',
    'item.tags.exists(t, t.startsWith("t19")) && !("c1" in item.categories)',
    "item.tags.exists(t, t in user.likes) && item.owner != user.id",
    'item.publish_time > now - duration("168h")',
    'item.title.contains("99")',
    "user.likes.exists(l, l in item.tags)",
    "item.tags.exists(t, t == item.owner)",
    "item.categories.all(c, !c.startsWith('c1'))",
)
REQUEST = Request({"likes": ["t1", "t2", "t3", "t4"], "id": "o9"}, {}, _NOW)


class MadeUp:
    """Columns of a catalogue without items."""

    revision = 1

    def __init__(self, size: int) -> None:
        random = np.random.default_rng(1)
        self.size = size
        self._texts = {
            "id": Texts(np.arange(size, dtype=np.int32), _named("i", size)),
            "title": Texts(np.arange(size, dtype=np.int32), _named("a title of item ", size)),
            "owner": Texts(random.integers(0, 5000, size).astype(np.int32), _named("o", 5000)),
        }
        self._lists = {
            "categories": _lists(random, size, 3, 200, "c"),
            "tags": _lists(random, size, 5, 2000, "t"),
        }
        self._price = Numbers(random.exponential(40, size), random.random(size) < 0.9)
        at = _NOW - random.integers(0, _YEAR, size)
        self._time = Times(at, np.ones(size, dtype=np.bool_))
        self._expire = Times(at + _YEAR, random.random(size) < 0.05)

    def text(self, field: TextField) -> Texts:
        return self._texts[field]

    def texts(self, field: TextsField) -> TextLists:
        return self._lists[field]

    def number(self, key: str) -> Numbers | None:
        return self._price if key == "price" else None

    def time(self, field: TimeField) -> Times:
        return self._expire if field == "expire_time" else self._time


def _named(prefix: str, count: int) -> Interned:
    values = [f"{prefix}{number}" for number in range(count)]
    return Interned(values, {text: code for code, text in enumerate(values)})


def _lists(random: np.random.Generator, size: int, mean: int, count: int, prefix: str) -> TextLists:
    starts = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(random.poisson(mean, size), out=starts[1:])
    codes = random.integers(0, count, int(starts[-1])).astype(np.int32)
    return TextLists(starts, codes, _named(prefix, count))


def _median_us(run: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        begin = time.thread_time()
        run()
        taken.append(time.thread_time() - begin)
    return float(np.median(taken)) * 1e6


def main() -> None:
    """Print the table."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    columns = MadeUp(size)
    print(f"{size} items, medians in microseconds of CPU")
    print(f"{'first':>9} {'again':>9} {'kept':>6}  expression")
    for text in EXPRESSIONS:
        expression = parse_filter(text)
        cache = MaskCache()
        kept = int(cache.mask(expression, columns, REQUEST).sum())

        first = _median_us(lambda: expression.mask(columns, REQUEST), 51)  # noqa: B023
        again = _median_us(lambda: cache.mask(expression, columns, REQUEST), 51)  # noqa: B023
        print(f"{first:9.0f} {again:9.1f} {100 * kept / size:5.1f}%  {text}")
    parsing = _median_us(lambda: [parse_filter(one) for one in EXPRESSIONS], 51)
    print(f"{parsing / len(EXPRESSIONS):9.0f} {'':9} {'':6}  parsing one of them")


if __name__ == "__main__":
    main()
