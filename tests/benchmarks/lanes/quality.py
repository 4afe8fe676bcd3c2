"""What the house looks like, and that slates are as good as before."""

import argparse
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.numbers.other_commit import FIRST, ROOT, Tree, this_tree, tree_of
from tests.benchmarks.numbers.table import Number

_SETS = ("ml-100k", "ml-latest-small")
_LARGE = "amazon-video-games-orderonly"
_ARM = "full"
_MOST_FILES = 8
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+)`")


def ndcg(options: argparse.Namespace) -> Iterator[Number]:
    """Evaluate `full` with both trees on the sets that are there."""
    names = [*_SETS, *([_LARGE] if options.amazon else [])]
    with tree_of() as then, tempfile.TemporaryDirectory(prefix="harken-lanes-") as name:
        for data_set in names:
            folder = options.data / data_set
            if not (folder / "events.csv.gz").exists():
                print(f"ndcg: no {data_set} in {options.data}, left out", flush=True)
                continue
            # Both at once: how long it takes does not matter here.
            with ThreadPoolExecutor() as threads:
                before, after = threads.map(
                    lambda tree, folder=folder: _evaluated(tree, folder, Path(name)),
                    (then, this_tree()),
                )
            yield Number(
                f"NDCG@10 of `full` on {data_set}, over then",
                ">= .995",
                f"{after / before:.4f} ({after:.4f} over {before:.4f})",
                after / before >= 0.995,
                {"then": before, "now": after},
            )


def _evaluated(tree: Tree, folder: Path, own: Path) -> float:
    began = time.monotonic()
    written = own / f"{tree.name}.json"
    items = folder / "items.csv"
    alone = "--no-peers" if tree.name == FIRST else "--no-baselines"
    asked = ["evaluate", str(folder / "events.csv.gz"), "--arms", _ARM, alone,
             *(["--items", str(items)] if items.exists() else []),
             "--json", str(written)]  # fmt: skip
    try:
        tree.run(asked)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"harken evaluate of {tree.name}: {error.stderr[-500:]}") from error
    said = json.loads(written.read_text())
    value = float(said["arms"][_ARM]["figures"][0]["ndcg"])
    print(f"ndcg, {tree.name}, {folder.name}: {value:.4f} in {time.monotonic() - began:.0f} s",
          flush=True)  # fmt: skip
    return value


def sections(_options: argparse.Namespace) -> Iterator[Number]:
    """Count the files that a new section of frames touches, as the room's README lists them."""
    page = ROOT / "services" / "feed" / "README.md"
    if not page.exists():
        print(f"sections: no {page.relative_to(ROOT)}, left out", flush=True)
        return
    files = listed_files(page.read_text())
    missing = [one for one in files if not (ROOT / one).exists()]
    yield Number(
        "source files that a new frame section touches, as services/feed/README.md lists them",
        f"<= {_MOST_FILES}",
        f"{len(files)}" + (f", of which {', '.join(missing)} is not there" if missing else ""),
        0 < len(files) <= _MOST_FILES and not missing,
        {"files": files},
    )


def listed_files(page: str) -> list[str]:
    """Return the paths that items of lists name first, under the heading on a new section."""
    part = re.search(r"^#+ [^\n]*section[^\n]*\n(.*?)(?=^#|\Z)", page, re.S | re.M | re.I)
    lines = part[1].splitlines() if part is not None else []
    found = [_PATH.search(line) for line in lines if re.match(r"\s*(?:[-*]|\d+\.) ", line)]
    return [said[1] for said in found if said is not None]
