#!/usr/bin/env bash
# Guess: petl.fromjson has a column for every key of the file, with lines=True and without
# What happens: with lines=True the columns are the keys of the first line, and a key that the second line
#   adds is dropped with its values; the same objects as an array give both columns (keys of the first 1000
#   objects)
# Why it matters: a field that was added to a log at some day is gone from the whole history, without a
#   warning, and only in the form that large logs have
# Seen with: petl 1.7.30, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check petl==1.7.30
venv/bin/python - <<'PY'
import petl
one, two = '{"user":"u"}', '{"user":"u","surface":"home"}'
open("lines.json", "w").write(one + "\n" + two + "\n")
open("array.json", "w").write(f"[{one},{two}]")
seen = petl.header(petl.fromjson("lines.json", lines=True)), petl.header(petl.fromjson("array.json"))
print("petl", petl.__version__, seen)
assert seen == (("user",), ("user", "surface"))
PY
