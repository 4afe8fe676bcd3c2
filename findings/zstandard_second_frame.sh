#!/usr/bin/env bash
# Guess: two nightly files in zstandard, one appended to the other, are read whole by every call, as gzip
#   members are
# What happens: zstandard.decompress, ZstdDecompressor().read_to_iter and decompressobj stop after the first
#   frame without a word; zstandard.open, stream_reader and copy_stream read both; decompress of
#   backports.zstd reads both
# Why it matters: an appended .zst export loses all but its first night, and nothing raises
# Seen with: zstandard 0.25.0 against backports.zstd 1.8.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check zstandard==0.25.0 backports.zstd==1.8.0
venv/bin/python - <<'PY'
import io, zstandard
from backports import zstd
two = zstandard.compress(b"u1,i1\n") + zstandard.compress(b"u2,i2\n")
d = zstandard.ZstdDecompressor
seen = {"zstandard.decompress": zstandard.decompress(two), "read_to_iter": b"".join(d().read_to_iter(two)),
        "decompressobj": d().decompressobj().decompress(two), "stream_reader": d().stream_reader(io.BytesIO(two)).read(),
        "zstandard.open": zstandard.open(io.BytesIO(two), "rb").read(), "backports.zstd.decompress": zstd.decompress(two)}
print("zstandard", zstandard.__version__, seen)
one, both = b"u1,i1\n", b"u1,i1\nu2,i2\n"
assert list(seen.values()) == [one, one, one, both, both, both]
PY
