"""Items that were shown and passed over are weak negatives: they move a little away from the user.

Of a slate of which something was taken, the items at or above the last one taken were looked at
(the user got at least that far); those of them that were not taken were passed over. What is below
may never have been seen, and of a slate of which nothing was taken nothing is known. Source of the
assumption: the cascade model of examination (Craswell et al. 2008, WSDM).

The gradient is that of ln sigmoid(-u.v) with respect to the item, with the unit vector of the user:
a touch moves an item by at most `eta`. The drift and the norm of items are bounded as in item_step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.feedback.learner.model.item_step import ItemStepConfig, move_items
from services.feedback.learner.model.pending_slate import PendingSlate

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ShownStepConfig:
    """eta: largest move of an item by one slate, >= 0; 0: nothing moves."""

    eta: float = 0.01


def passed_over(pending: PendingSlate) -> list[str]:
    """Return the items of a slate that were looked at and not taken."""
    taken = np.flatnonzero(pending.taken)
    if taken.size == 0:
        return []
    looked_at = pending.taken[: int(taken[-1])]
    return [pending.slate.item_ids[place] for place in np.flatnonzero(~looked_at).tolist()]


def passed_pairs(settled: Sequence[PendingSlate]) -> tuple[list[bytes], Ints, list[str]]:
    """Return users, and pairs of what they passed over: indices of users [n], items [n]."""
    users: dict[bytes, int] = {}
    owners: list[int] = []
    items: list[str] = []
    for pending in settled:
        own = passed_over(pending)
        if own:
            owner = users.setdefault(pending.slate.user_key, len(users))
            owners += [owner] * len(own)
            items += own
    return list(users), np.array(owners, np.int64), items


def shown_step(
    user_vecs: Floats,
    owners: Ints,
    items: Ints,
    table: Floats,
    base: Floats,
    config: ShownStepConfig,
    item_config: ItemStepConfig,
) -> tuple[Ints, Floats]:
    """Return new vectors of the items [n] that the users `owners` [n] passed over.

    user_vecs: [u, d]; a zero vector moves nothing. table, base: [N, d]. Returns (rows ascending
    [m], vectors [m, d]); `table` itself is left as it is.
    """
    length = np.linalg.norm(user_vecs, axis=1)
    used = (length[owners] > 1e-6) & (config.eta > 0)
    owners, items = owners[used], items[used]
    if items.size == 0:
        return np.zeros(0, np.int64), np.zeros((0, table.shape[1]), np.float32)
    users = (user_vecs / np.maximum(length, 1e-12)[:, None]).astype(np.float32)
    scores = np.vecdot(users[owners], table[items])
    slope = (-config.eta / (1 + np.exp(-scores))).astype(np.float32)
    return move_items(items, owners, slope, users, table, base, item_config)
