#!/usr/bin/env bash
# Guess: three libraries of one language, CEL, whose specification is public, agree on small expressions
# What happens: they agree on few of these. Among what is silent: common-expression-language cuts durations
#   and sums with times to what 64 bits of nanoseconds hold; cel-python counts [-1] from the end, gives a text
#   for `text && true`, finds NaN equal to itself and rounds times before 1970 up; cel-expr-python returns
#   errors as values
# Why it matters: a filter shows other items, or all, when the library under it changes; so Harken follows the
#   specification and says where (docs/expressions.md has the same table with Harken's answers)
# Seen with: cel-expr-python 0.1.3, common-expression-language 0.10.0, cel-python 0.5.0, 2026-11-29,
#   Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  cel-expr-python==0.1.3 common-expression-language==0.10.0 cel-python==0.5.0
cat > seen.txt <<'TABLE'
user.price > 10.0 true true error
user.l.exists(x, x.p > 1) true error true
[0, 1].exists(x, 1 / x == 1) true error true
user.none == 1 error error error
has(user.none.x) error error false
user.s && true error error neither
user.s == 1 false false error
1 == 1.0 refused true error
2.0 > 1 refused true true
user.p in [1, 2] true true error
9007199254740993 == dyn(9007199254740992.0) true true error
0.0 / 0.0 == 0.0 / 0.0 false false true
[1, 2][-1] == 2 error error true
size(user.accent) == 1 true false true
int("0x10") == 16 error error true
timestamp(0) < now true error error
timestamp("2024-01-01") == now error error true
timestamp("2016-12-31T23:59:60Z") < now true true error
now.getHours("+02:00") == 2 true error true
now.getHours("Europe/Berlin") == 1 true error true
int(timestamp("1969-12-31T23:59:59.5Z")) == -1 true error false
timestamp("2024-01-01T00:00:00.000000001Z") > now true true false
duration("1500ms").getMilliseconds() == 500 true false false
duration("1d") == duration("24h") error error true
duration("1ns") > duration("0") true true error
duration("2600000h") > duration("2599999h") true false true
timestamp("2024-01-01T00:00:00Z") + duration("2600000h") > timestamp("2320-01-01T00:00:00Z") true false true
"a" + "b" == "ab" true true true
"ab".matches("^a") true true true
[1, 2].map(x, x * 2) == [2, 4] true true true
1u == 1u true true true
TABLE
venv/bin/python - seen.txt <<'PY'
import datetime, re, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import cel, celpy
from cel_expr_python import cel as google
from celpy import celtypes

NOW = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
USER = {"price": 11, "p": 2.0, "s": "a", "l": [{}, {"p": 2}], "accent": "é"}
kind = google.Type
env = google.NewEnv(variables={"user": kind.Map(kind.STRING, kind.DYN), "now": kind.TIMESTAMP})

def word(value):
    return str(value).lower() if value in (True, False) and type(value) is not str else "neither"

def of_google(text):
    try:
        compiled = env.compile(text)
    except RuntimeError:
        return "refused"
    value = compiled.eval(data={"user": USER, "now": NOW})
    return "error" if value.type() == kind.ERROR else word(value.plain_value())

def of_rust(text):
    try:
        return word(cel.evaluate(text, {"user": USER, "now": NOW}))
    except Exception:
        return "error"

def of_python(text):
    try:
        program = celpy.Environment().program(celpy.Environment().compile(text))
        given = {"user": celpy.json_to_cel(USER), "now": celtypes.TimestampType(NOW)}
        value = program.evaluate(given)
    except Exception:
        return "error"
    return word(bool(value)) if isinstance(value, celtypes.BoolType | bool) else "neither"

changed = 0
for line in Path(sys.argv[1]).read_text().splitlines():
    text, *before = line.rsplit(None, 3)
    seen = [of_google(text), of_rust(text), of_python(text)]
    print(f"{text:75} {' '.join(seen)}")
    changed += seen != before
sys.exit(f"{changed} changed" if changed else 0)
PY
