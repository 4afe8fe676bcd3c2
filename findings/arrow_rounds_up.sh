#!/usr/bin/env bash
# Guess: digits beyond microseconds are cut, as datetime.fromisoformat, dateutil, pendulum and ciso8601 cut
#   them
# What happens: arrow rounds at the seventh digit: 23:59:59.9999999 is the next day
# Why it matters: times of .NET and Snowflake have seven to nine digits; the last event of a day moves into
#   the next partition, and times of one event differ by reader
# Seen with: arrow 1.4.0, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check arrow==1.4.0 python-dateutil==4.0.0 pendulum==3.3.0 ciso8601==2.4.1
venv/bin/python - <<'PY'
import datetime as dt, arrow, ciso8601, dateutil.parser, pendulum
text = "2024-03-07T23:59:59.9999999+00:00"
others = {n: f(text).isoformat() for n, f in (("datetime", dt.datetime.fromisoformat), ("dateutil", dateutil.parser.isoparse),
          ("pendulum", pendulum.parse), ("ciso8601", ciso8601.parse_datetime))}
seen = arrow.get(text).isoformat()
print("arrow", arrow.__version__, seen, others)
assert seen == "2024-03-08T00:00:00+00:00" and set(others.values()) == {"2024-03-07T23:59:59.999999+00:00"}
PY
