#!/usr/bin/env bash
# Guess: use_float=True says how fractions are given (float in place of Decimal) and leaves integers alone;
#   backends agree
# What happens: with it the default C backend refuses an integer above 2^63 ("integer overflow"), which it
#   reads exactly without it, and which the python backend reads exactly either way
# Why it matters: ids of 64 bits without sign (hashes) stop an import when somebody makes it faster with
#   use_float
# Seen with: ijson 3.6.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ijson==3.6.0
venv/bin/python - <<'PY'
import io, ijson
def read(backend, **options):
    try: return list(ijson.get_backend(backend).items(io.BytesIO(b"[18446744073709551615]"), "item", **options))
    except ijson.JSONError as e: return type(e).__name__
seen = [read("yajl2_c"), read("yajl2_c", use_float=True), read("python"), read("python", use_float=True)]
print("ijson", ijson.__version__, seen)
assert seen == [[18446744073709551615], "IncompleteJSONError", [18446744073709551615], [18446744073709551615]]
PY
