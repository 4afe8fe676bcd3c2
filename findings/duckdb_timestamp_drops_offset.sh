#!/usr/bin/env bash
# Guess: a column declared TIMESTAMP that holds 2024-03-07 12:00:00-08 is converted to UTC (20:00) or
#   refused
# What happens: the offset, or the name of a zone, is dropped: 12:00. Left to its guess, read_csv takes
#   TIMESTAMPTZ and gives 20:00 UTC
# Why it matters: declaring types to be safe shifts every event by its offset, and mixed offsets change the
#   order of events
# Seen with: duckdb 2.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
venv/bin/python - <<'PY'
import duckdb
open("t.csv", "w").write("t\n2024-03-07 12:00:00-08\n2024-03-07 12:00:00+02\n")
duckdb.sql("set timezone='UTC'")
declared = [str(r[0]) for r in duckdb.sql("select t from read_csv('t.csv', types={'t': 'TIMESTAMP'})").fetchall()]
guessed = [str(r[0]) for r in duckdb.sql("select t from read_csv('t.csv')").fetchall()]
named = str(duckdb.sql("select '2024-03-07 12:00:00 America/Los_Angeles'::timestamp").fetchall()[0][0])
print("duckdb", duckdb.__version__, declared, guessed, named)
assert declared == ["2024-03-07 12:00:00"] * 2 and named == declared[0]
assert guessed == ["2024-03-07 20:00:00+00:00", "2024-03-07 10:00:00+00:00"]
PY
