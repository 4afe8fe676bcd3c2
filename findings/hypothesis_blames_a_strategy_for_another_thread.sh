#!/usr/bin/env bash
# Guess: Hypothesis says "Do not use the `random` module inside strategies" only of a strategy that does
# What happens: it compares random.getstate() before and after a draw, of the generator that all threads share. An
#   exporter of OpenTelemetry that cannot reach its collector draws the jitter of its retries from it, in a thread of
#   its own, so a strategy that touches nothing is blamed. Where warnings are errors the test fails, now and then, and
#   is called flaky on top
# Why it matters: a test of tracing fails an unrelated property minutes later. Draw from an instance of Random in code
#   of your own, and let this one warning pass where others' threads are at work
# Seen with: hypothesis 6.170.17, 2026-11-29, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check hypothesis==6.170.17
cat > run.py <<'PY'
import random, threading, time, warnings
import hypothesis
from hypothesis import given, settings, strategies as st

def pure(number):
    time.sleep(0.002)  # long enough for another thread to have its turn
    return number

@settings(max_examples=20, deadline=None, database=None)
@given(st.builds(pure, st.integers(0, 9)))
def check(number):
    assert 0 <= number <= 9

def said(while_others_draw):
    done = threading.Event()
    def jitter():
        while not done.is_set():
            random.uniform(0.8, 1.2)
            time.sleep(0.0005)
    other = threading.Thread(target=jitter)
    if while_others_draw:
        other.start()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check()
    done.set()
    if while_others_draw:
        other.join()
    return {str(one.message).split(";")[0] for one in caught}

alone, beside = said(False), said(True)
print("hypothesis", hypothesis.__version__, "alone:", alone, "beside a thread that draws:", beside)
assert alone == set(), alone
assert beside == {"Do not use the `random` module inside strategies"}, beside
PY
one/bin/python run.py
