#!/usr/bin/env bash
# Prints what the Open Bandit Pipeline says of the log of oracle_log.py: the values in test_obp.py.
# Needs Python 3.8 to 3.10, which obp asks for (PYTHON=python3.10); not part of the tests.
# Run with: obp 0.5.7, scikit-learn 1.1.3, matplotlib 3.7.5 (seaborn's pin fails with later ones)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.10}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check obp==0.5.7 matplotlib==3.7.5
PYTHONPATH="$here" "$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from obp import ope
from oracle_log import PLACES, made

log = {name: np.array(column) for name, column in made().items()}
first = dict(
    reward=log["slate_reward"][:, 0],
    action=log["slate_action"][:, 0],
    pscore=log["slate_pscore"][:, 0],
    action_dist=log["slate_target_all"][:, 0, :, None],
)
predicted = log["slate_q"][:, 0, :, None]
found = {
    "first place: ips": ope.InverseProbabilityWeighting().estimate_policy_value(**first),
    "first place: snips": ope.SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(
        **first
    ),
    "first place: dr": ope.DoublyRobust().estimate_policy_value(
        **first, estimated_rewards_by_reg_model=predicted
    ),
}
count = len(log["slate_reward"])
rows = dict(
    slate_id=np.repeat(np.arange(count), PLACES),
    position=np.tile(np.arange(PLACES), count),
    reward=log["slate_reward"].ravel(),
)
logged, wanted = log["slate_pscore"].cumprod(axis=1), log["slate_target"].cumprod(axis=1)
whole = dict(
    pscore=np.repeat(logged[:, -1], PLACES),
    evaluation_policy_pscore=np.repeat(wanted[:, -1], PLACES),
)
cascade = dict(pscore_cascade=logged.ravel(), evaluation_policy_pscore_cascade=wanted.ravel())
found["ips"] = ope.SlateStandardIPS(len_list=PLACES).estimate_policy_value(**rows, **whole)
found["snips"] = ope.SelfNormalizedSlateStandardIPS(len_list=PLACES).estimate_policy_value(
    **rows, **whole
)
found["cascade_ips"] = ope.SlateRewardInteractionIPS(len_list=PLACES).estimate_policy_value(
    **rows, **cascade
)
found["position_ips"] = ope.SlateIndependentIPS(len_list=PLACES).estimate_policy_value(
    **rows,
    pscore_item_position=log["slate_marginal"].ravel(),
    evaluation_policy_pscore_item_position=log["slate_target_marginal"].ravel(),
)
found["dr"] = ope.SlateCascadeDoublyRobust(
    len_list=PLACES, n_unique_action=log["slate_q"].shape[2]
).estimate_policy_value(
    **rows,
    **cascade,
    action=log["slate_action"].ravel(),
    q_hat=log["slate_q"].ravel(),
    evaluation_policy_action_dist=log["slate_target_all"].ravel(),
)
for name, value in found.items():
    print(f'    "{name}": {value!r},')
PY
