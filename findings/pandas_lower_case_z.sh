#!/usr/bin/env bash
# Guess: z is UTC as Z is (RFC 3339 allows both), or it is refused
# What happens: pandas.to_datetime of ...z gives a naive time and takes the z for a letter of the format;
#   dateutil says UTC; datetime.fromisoformat refuses
# Why it matters: tz_localize of the local zone, the usual step for naive times, then shifts these events
# Seen with: pandas 3.1.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 python-dateutil==4.0.0
venv/bin/python - <<'PY'
import datetime as dt, dateutil.parser, pandas as pd
seen = [str(pd.to_datetime("2024-03-07T12:00:00" + z)) for z in "Zz"] + [str(dateutil.parser.isoparse("2024-03-07T12:00:00z"))]
try: dt.datetime.fromisoformat("2024-03-07T12:00:00z"); seen.append("read")
except ValueError: seen.append("refused")
print("pandas", pd.__version__, seen)
assert seen == ["2024-03-07 12:00:00+00:00", "2024-03-07 12:00:00", "2024-03-07 12:00:00+00:00", "refused"]
PY
