#!/usr/bin/env bash
# Guess: item ids such as 5m and 3h, or 1-2 and 3-4, pass through csvsort and csvjson as they are
# What happens: 5m becomes 0:05:00, 3h becomes 3:00:00, 1-2 becomes 2001-01-02, "sun" and "mon" become days
#   of the year 1; csvcut leaves them. -I turns it off
# Why it matters: sorting a catalogue with csvsort renames products, only when all ids of the file look
#   alike, so a sample shows nothing
# Seen with: csvkit 2.2.0 with agate 1.14.2, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check csvkit==2.2.0
venv/bin/python - <<'PY'
import subprocess
def sort(*ids):
    open("a.csv", "w").write("item,n\n" + "".join(f"{i},{n}\n" for n, i in enumerate(ids)))
    return [line.split(",")[0] for line in subprocess.run(["venv/bin/csvsort", "-c", "n", "a.csv"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]]
seen = sort("5m", "3h"), sort("1-2", "3-4"), sort("sun", "mon"), sort("5m", "x")
print("csvkit 2.2.0", seen)
assert seen == (["0:05:00", "3:00:00"], ["2001-01-02", "2001-03-04"], ["0001-01-07", "0001-01-08"], ["5m", "x"])
PY
