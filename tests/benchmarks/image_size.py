"""Builds the prefix of every image and measures it.

    python -m tests.benchmarks.image_size [profile ranker feedback cli trainer]

Prints megabytes (10^6 bytes of files) of the prefix and of its five largest parts. The base image
is not in it. Takes minutes. Exit code 1 when an image is larger than its bound.
"""

import sys
import tempfile
from pathlib import Path

from tests.deploy.image_parts import SERVICES
from tests.deploy.prefix import MEGABYTES, build, bytes_of


def main(services: list[str]) -> int:
    """Measure the named images, by default those of the services."""
    too_large = False
    with tempfile.TemporaryDirectory() as folder:
        for service in services or SERVICES:
            prefix = Path(folder) / service
            build(service, prefix)
            size = bytes_of(prefix) / 1e6
            bound = MEGABYTES.get(service)
            too_large |= bound is not None and size > bound
            print(f"{service:10} {size:7.0f} MB  (bound: {bound or 'none'})")
            for part, own in _largest(prefix):
                print(f"    {own / 1e6:7.1f} MB  {part}")
    return int(too_large)


def _largest(prefix: Path) -> list[tuple[str, int]]:
    (site,) = prefix.glob("lib/python3*/site-packages")
    parts = [*site.iterdir(), *(prefix / "bin").iterdir()]
    sizes = [
        (part.name, bytes_of(part) if part.is_dir() else part.lstat().st_size) for part in parts
    ]
    return sorted(sizes, key=lambda one: -one[1])[:5]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
