#!/usr/bin/env bash
# Guess: UCB1 tries an arm first that has never been tried, as its bound is infinite
# What happens: it has the expectation 0, so while others have a bound above 0 it is never tried; with rewards below
#   0 it is always taken, by EpsilonGreedy(epsilon=0), too
# Why it matters: a new item or campaign added with add_arm gets no impressions for good; seed each arm with a trial
# Seen with: mabwiser 2.7.4, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check mabwiser==2.7.4
one/bin/python - <<'PY'
import warnings; warnings.simplefilter("ignore")
from mabwiser.mab import MAB, LearningPolicy
ucb = MAB(["a", "b"], LearningPolicy.UCB1(alpha=1.25), seed=1)
ucb.fit(["a", "a", "b", "b"], [0, 1, 0, 0])
ucb.add_arm("new")
taken = []
for _ in range(200):
    arm = ucb.predict()
    taken.append(arm)
    ucb.partial_fit([arm], [0])
print("UCB1, 200 rounds without any reward:", {arm: taken.count(arm) for arm in ("a", "b", "new")})
assert taken.count("new") == 0
greedy = MAB(["a", "b"], LearningPolicy.EpsilonGreedy(epsilon=0), seed=1)
greedy.fit(["a", "b"], [-1, -2])
greedy.add_arm("new")
print("costs as rewards:", greedy.predict())
assert greedy.predict() == "new"
PY
