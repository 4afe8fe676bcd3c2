#!/usr/bin/env bash
# Guess: pyarrow.csv.read_csv reads as many rows as pyarrow.csv.write_csv wrote
# What happens: a null in a table of one column is written as an empty line, and read_csv skips empty lines:
#   three rows are written, two are read (ignore_empty_lines=False keeps them)
# Why it matters: a list of ids loses its nulls, so it no longer lines up with the file beside it
# Seen with: pyarrow 26.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1
venv/bin/python - <<'PY'
import io, pyarrow as pa, pyarrow.csv as pc
out = io.BytesIO()
pc.write_csv(pa.table({"item": ["a", None, "b"]}), out)
rows = pc.read_csv(io.BytesIO(out.getvalue())).num_rows
kept = pc.read_csv(io.BytesIO(out.getvalue()), parse_options=pc.ParseOptions(ignore_empty_lines=False)).num_rows
print("pyarrow", pa.__version__, out.getvalue(), rows, kept)
assert (rows, kept) == (2, 3)
PY
