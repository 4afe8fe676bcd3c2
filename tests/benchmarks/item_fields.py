"""What the fields of items cost a ranker: memory, folding frames, and reading columns.

Its bias: made items of words and tags drawn evenly; one process, nothing else in it. CPU time of
the process; memory is what is resident more than before, with ids, categories and all. `bare` items
have an id, a category and two times, `titled` a title of three words too, `full` ones all fields.

    python -m tests.benchmarks.item_fields [--items 100000]
"""

import argparse
import gc
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from harken.feedback.v1 import item_pb2
from harken.internal.feed.v1 import frame_pb2
from services.feed.parameters_codec import check_catalogue, read_catalogue
from services.ranker.domain.catalogue import Catalogue

KINDS = ("bare", "titled", "full")
_AT_ONCE = 1000

READS: Mapping[str, Callable[[Catalogue], object]] = MappingProxyType(
    {
        "titles": lambda catalogue: catalogue.fields.text("title"),
        "owners": lambda catalogue: catalogue.fields.text("owner"),
        "categories": lambda catalogue: catalogue.fields.texts("categories"),
        "tags": lambda catalogue: catalogue.fields.texts("tags"),
        "a number": lambda catalogue: catalogue.fields.number("price"),
        "a time": lambda catalogue: catalogue.fields.time("publish_time"),
        "newest 200": lambda catalogue: catalogue.fields.newest(
            np.ones(catalogue.size, np.bool_), 200, 0, 1 << 60
        ),
    }
)


def made_item(number: int, kind: str, chance: random.Random) -> item_pb2.Item:
    """Return an item."""
    item = item_pb2.Item(item_id=f"item-{number:09}", categories=[f"c{number % 50}"])
    item.publish_time.seconds = item.update_time.seconds = 1_700_000_000 + number
    if kind != "bare":
        item.title = " ".join(f"word{chance.randrange(5000)}" for _ in range(3))
    if kind == "full":
        item.owner = f"owner-{chance.randrange(2000)}"
        item.tags.extend({f"tag{chance.randrange(3000)}" for _ in range(4)})
        item.numbers["price"], item.numbers["year"] = chance.random() * 100, 2000
    return item


def measure(kind: str, count: int) -> None:
    """Fold so many items, read columns, change some, read again; print."""
    chance = random.Random(1)
    frames = [
        frame_pb2.CatalogueChanges(
            items=[made_item(n, kind, chance) for n in range(start, min(count, start + _AT_ONCE))]
        ).SerializeToString()
        for start in range(0, count, _AT_ONCE)
    ]
    gc.collect()
    before = _resident()
    catalogue = Catalogue()
    began = time.process_time()
    for frame in frames:
        _fold(catalogue, frame)
    took = time.process_time() - began
    gc.collect()
    size = (_resident() - before) / count
    print(f"{kind}: {took / count * 1e6:.1f} us and {size:.0f} bytes an item")
    for again in ("first", "after 20 changes"):
        parts = [f"{name} {_milliseconds(read, catalogue):.2f}" for name, read in READS.items()]
        print(f"  {again}, ms: {', '.join(parts)}")
        some = [made_item(n, kind, chance) for n in chance.sample(range(count), 20)]
        _fold(catalogue, frame_pb2.CatalogueChanges(items=some).SerializeToString())
    print(f"  with all columns read: {(_resident() - before) / count:.0f} bytes an item")


def _fold(catalogue: Catalogue, frame: bytes) -> None:
    changes = read_catalogue(frame_pb2.CatalogueChanges.FromString(frame))
    check_catalogue(changes)
    catalogue.fold(changes)


def _milliseconds(read: Callable[[Catalogue], object], catalogue: Catalogue) -> float:
    began = time.process_time()
    read(catalogue)
    return (time.process_time() - began) * 1e3


def _resident() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def main() -> None:
    """Measure each kind in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--kind", choices=KINDS)
    given = parser.parse_args()
    if given.kind is not None:
        measure(given.kind, given.items)
        return
    for kind in KINDS:
        command = [sys.executable, "-m", "tests.benchmarks.item_fields", "--kind", kind]
        subprocess.run([*command, "--items", str(given.items)], check=True)


if __name__ == "__main__":
    main()
