#!/usr/bin/env bash
# Guess: 2024-03-07T12:30.5 is half a minute past 12:30 (ISO 8601 lets the last part have a fraction), or it
#   is refused
# What happens: three values: pandas and isodate 12:30:30, datetime.fromisoformat 12:30:00.500000, iso8601
#   12:00:30.500000. And 12.5 hours are 12:00:00.5 in datetime, 12:30 in isodate
# Why it matters: none of them raises, so the reader decides by half an hour when something happened
# Seen with: pandas 3.1.1, iso8601 2.1.0, isodate 0.7.2, 2026-11-28, Python 3.11, Linux
#   x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 iso8601==2.1.0 isodate==0.7.2
venv/bin/python - <<'PY'
import datetime as dt, isodate, iso8601, pandas as pd
text = "2024-03-07T12:30.5"
seen = {"pandas": pd.to_datetime(text).time(), "isodate": isodate.parse_datetime(text).time(),
        "datetime": dt.datetime.fromisoformat(text).time(), "iso8601": iso8601.parse_date(text).time()}
hours = dt.datetime.fromisoformat("2024-03-07T12.5").time(), isodate.parse_datetime("2024-03-07T12.5").time()
print({k: str(v) for k, v in seen.items()}, [str(h) for h in hours])
assert [str(v) for v in seen.values()] == ["12:30:30", "12:30:30", "12:30:00.500000", "12:00:30.500000"]
assert [str(h) for h in hours] == ["12:00:00.500000", "12:30:00"]
PY
