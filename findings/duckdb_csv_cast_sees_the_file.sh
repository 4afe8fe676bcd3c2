#!/usr/bin/env bash
# Guess: a column declared BIGINT that holds 007 is the number 7, and n::varchar is the text 7
# What happens: if n is used only as n::varchar the cast goes into the scan and gives what the file holds:
#   007. With n + 0 beside it, the same expression gives 7; so it does with a filter on n
# Why it matters: a key built with ::varchar joins or not depending on which other columns a query asks for
# Seen with: duckdb 2.0.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
venv/bin/python - <<'PY'
import duckdb
open("n.csv", "w").write("n\n007\n08\n")
source = "from read_csv('n.csv', types={'n': 'BIGINT'})"
texts = lambda columns, rest="": [r[0] for r in duckdb.sql(f"select {columns} {source} {rest}").fetchall()]
seen = texts("n::varchar"), texts("n::varchar, n + 0"), texts("n::varchar", "where n > 0"), texts("typeof(n)")
print("duckdb", duckdb.__version__, seen)
assert seen == (["007", "08"], ["7", "8"], ["7", "8"], ["BIGINT", "BIGINT"])
PY
