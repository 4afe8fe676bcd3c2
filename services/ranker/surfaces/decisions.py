"""What is logged of how a slate was decided: enough to decide it again."""

import numpy as np

from harken.feedback.v1 import surface_pb2
from harken.internal.slates.v1 import decision_pb2
from services.common.arrays import Float32s, Ordinals
from services.common.validation import MAX_ID_BYTES
from services.ranker.domain.selection.plan import Exploration
from services.ranker.domain.selection.policies import EpsilonMixture, PlackettLuce, Thompson
from services.ranker.domain.selection.pool import bounded
from services.ranker.domain.shown_columns import MAX_LOGGED
from services.ranker.domain.surface.configured import Surface
from services.ranker.domain.surface.shaping import Shaped
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.slate_log import Decision

_BYTES_OF_CANDIDATE, _BYTES_OF_ROW = 12, 4
"""Beside ids and what is in rows: of utilities, bits, and of what the wire says of lengths."""
_BYTES_OF_SLOT, _BYTES_OF_EFFECT = 72, 8
"""Of the names of sources, and of a place; of what the wire says of lengths."""

_BESIDE = 50
"""Best candidates that are logged beside those shown, where chance had no part."""


def decision_of(
    replica: TenantReplica, surface: Surface, exploration: Exploration, shaped: Shaped
) -> Decision | None:
    """Return how a slate was decided, by an exploration as it was in force. None: more was sorted
    than is logged.
    """
    selection = shaped.selection
    moved = not np.array_equal(selection.decided, np.arange(selection.decided.size))
    if moved and selection.decided.size > MAX_LOGGED:
        return None
    # The next draft writes over these; an ordinal keeps its id for good.
    ordinals = shaped.draft.ordinals[shaped.considered]
    places = selection.places[:MAX_LOGGED]
    shown = ordinals[places]
    item_ids, new, proposed = replica.catalogue.item_ids(), shaped.new, shaped.proposed
    # Of the items that are logged, and no more of a long slate is kept until then.
    utilities, unit = selection.utilities, selection.unit
    barred, lowered = selection.barred[:MAX_LOGGED], selection.lowered
    if lowered is not None:
        lowered = lowered[:MAX_LOGGED]
    unboosted = bounded(shaped.utilities).astype(np.float32)
    by_order = (-unboosted).argsort(kind="stable")
    place_of = np.empty(by_order.size, np.int64)
    place_of[by_order] = np.arange(1, by_order.size + 1)
    alone, considered = place_of[places], ordinals.size
    drawn: list[bytes] = []
    if exploration.policy.by_chance or exploration.new_share > 0:
        if shaped.deviations is not None:
            drawn = list(map(bytes, shaped.deviations.astype("<f2")))
    else:
        # What is best stays best without what was not shown, so a part of that is enough.
        few = np.union1d(places, by_order[: max(_BESIDE, places.size)])
        ordinals, utilities, unboosted = ordinals[few], utilities[few], unboosted[few]
        bits = np.unpackbits(barred, axis=1, count=considered, bitorder="little")[:, few]
        barred = np.packbits(bits, axis=1, bitorder="little")
        lowered, new = None if lowered is None else lowered[:, few], None
    if np.array_equal(unboosted, utilities):
        unboosted = unboosted[:0]
    decided = selection.decided if moved else selection.decided[:0]
    applied = selection.applied[:MAX_LOGGED]
    barred_rows = list(map(bytes, barred))
    lowered_rows = [] if lowered is None else list(map(bytes, lowered))

    def made() -> decision_pb2.SlateDecision:
        ranks = {name: ranks_in(found, shown) for name, found in proposed.items()}
        return decision_pb2.SlateDecision(
            surface_revision=surface.revision,
            exploration=_exploration(surface, exploration),
            candidate_ids=[item_ids[ordinal] for ordinal in ordinals.tolist()],
            utilities=_bytes(utilities),
            barred=barred_rows,
            lowered=lowered_rows,
            lowered_unit=unit,
            new_items=b"" if new is None else np.packbits(new, bitorder="little").tobytes(),
            drawn=drawn,
            unboosted=_bytes(unboosted),
            decided_places=decided.tolist(),
            slots=[
                decision_pb2.SlateSlot(
                    sources=[name for name, own in ranks.items() if own[slot]],
                    effects=[
                        decision_pb2.SlateEffect(rule=rule, effect=effect)
                        for rule, effect in applied[slot]
                    ],
                    place_without_rules=int(alone[slot]),
                )
                for slot in range(shown.size)
            ],
            considered=considered,
        )

    effects = sum(
        len(rule) + len(effect) + _BYTES_OF_EFFECT for slot in applied for rule, effect in slot
    )
    columns = ordinals.size * (MAX_ID_BYTES + _BYTES_OF_CANDIDATE)
    rows = sum(len(row) + _BYTES_OF_ROW for row in (*barred_rows, *lowered_rows, *drawn))
    return Decision(columns + rows + effects + shown.size * _BYTES_OF_SLOT, made)


def ranks_in(found: Ordinals, items: Ordinals) -> list[int]:
    """Return the rank of each item among what a source found, from 1; 0: it is not there."""
    if not found.size:
        return [0] * items.size
    same = found[:, np.newaxis] == items
    ranks: list[int] = np.where(same.any(axis=0), same.argmax(axis=0) + 1, 0).tolist()
    return ranks


def _bytes(column: Float32s) -> bytes:
    return np.ascontiguousarray(column, "<f4").tobytes()


def _exploration(surface: Surface, exploration: Exploration) -> surface_pb2.Exploration:
    message = surface_pb2.Exploration(new_item_share=exploration.new_share)
    if exploration.new_share > 0:
        message.new_item_events = surface.new_item_events
    match exploration.policy:
        case EpsilonMixture(epsilon):
            message.epsilon = epsilon
        case PlackettLuce(temperature):
            message.plackett_luce_temperature = temperature
        case Thompson(scale):
            message.thompson_scale = scale
        case _:
            pass
    return message
