"""What a surface wants of one slate: its rules decided for the candidates."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Int32s, Ordinals
from services.common.expressions.expression import Expression
from services.common.expressions.request import Request
from services.ranker.domain.catalogue import Catalogue
from services.ranker.domain.selection import plan as selection
from services.ranker.domain.surface import configured
from services.ranker.domain.surface.configured import Attribute, Surface
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.tenant_replica import TenantReplica

_MOST_NAMED = 50
"""Items that a rule which must find some adds to the candidates, at most."""


def rules_on(surface: Surface, request: Request) -> tuple[configured.Rule, ...]:
    """Return the rules whose condition holds."""
    return tuple(rule for rule in surface.rules if rule.when is None or rule.when.holds(request))


def wanted_by_rules(
    replica: TenantReplica,
    rules: Sequence[configured.Rule],
    request: Request,
    eligible: Bools,
    finds: Finds,
) -> Ordinals:
    """Return eligible items that pins and minimums ask for, which no source may have proposed; some
    several times.
    """
    found = [NO_ORDINALS]
    for rule in rules:
        if isinstance(rule, configured.Pin) and rule.items is None:
            ordinal = replica.catalogue.find(rule.item_id)
            if ordinal is not None and eligible[ordinal]:
                found.append(np.array([ordinal], np.int64))
        elif isinstance(rule, (configured.Pin, configured.AtLeast)) and rule.items is not None:
            found.append(finds.named.some(replica, rule.items, request, eligible, _MOST_NAMED))
    return np.concatenate(found)


def plan_of(
    replica: TenantReplica,
    surface: Surface,
    rules: Sequence[configured.Rule],
    request: Request,
    ordinals: Ordinals,
    last_slates: Sequence[Ordinals],
) -> selection.Plan:
    """Return the plan for candidates `ordinals` [n]. last_slates: newest first."""
    boosts: list[selection.Boost] = []
    pins: list[selection.Pin] = []
    at_most: list[selection.AtMost] = []
    at_least: list[selection.AtLeast] = []
    caps: list[selection.Cap] = []
    sorts: list[selection.Sort] = []
    for rule in rules:
        match rule:
            case configured.Boost():
                items = _mask(replica, rule.items, request, ordinals)
                boosts.append(selection.Boost(rule.name, items, rule.factor))
            case configured.Pin():
                pins.append(_pin(replica, rule, request, ordinals))
            case configured.AtMost():
                items = _mask(replica, rule.items, request, ordinals)
                at_most.append(selection.AtMost(rule.name, items, rule.count))
            case configured.AtLeast():
                items = _mask(replica, rule.items, request, ordinals)
                at_least.append(selection.AtLeast(rule.name, items, rule.count, rule.share))
            case configured.Cap():
                caps.append(_cap(replica.catalogue, rule, ordinals, last_slates))
            case configured.Sort():
                numbers, present = rule.by.numbers(replica.catalogue.fields, request)
                sorts.append(
                    selection.Sort(rule.name, numbers[ordinals], present[ordinals], rule.ascending)
                )
    return selection.Plan(
        tuple(boosts), tuple(pins), tuple(at_most), tuple(caps), tuple(at_least), tuple(sorts),
        surface.diversity, surface.exploration,
    )  # fmt: skip


def _mask(
    replica: TenantReplica, expression: Expression, request: Request, ordinals: Ordinals
) -> Bools:
    return replica.catalogue.mask(expression, request).take(ordinals)


def _pin(
    replica: TenantReplica, rule: configured.Pin, request: Request, ordinals: Ordinals
) -> selection.Pin:
    if rule.items is not None:
        return selection.Pin(rule.name, _mask(replica, rule.items, request, ordinals), rule.place)
    ordinal = replica.catalogue.find(rule.item_id)
    return selection.Pin(rule.name, ordinals == (-1 if ordinal is None else ordinal), rule.place)


def _cap(
    catalogue: Catalogue,
    rule: configured.Cap,
    ordinals: Ordinals,
    last_slates: Sequence[Ordinals],
) -> selection.Cap:
    shown = last_slates[: rule.last_slates]
    if not shown:
        starts, codes = _values(catalogue, rule, ordinals)
        return selection.Cap(rule.name, codes, rule.most, starts)
    starts, codes = _values(catalogue, rule, np.concatenate([ordinals, *shown]))
    end = ordinals.size if starts is None else int(starts[ordinals.size])
    used = Counter(codes[end:].tolist())
    used.pop(-1, None)
    held = None if starts is None else starts[: ordinals.size + 1]
    return selection.Cap(rule.name, codes[:end], rule.most, held, dict(used))


def _values(
    catalogue: Catalogue, rule: configured.Cap, ordinals: Ordinals
) -> tuple[Ordinals | None, Int32s]:
    """Return the codes of the items' values, those of item i at starts[i]..starts[i + 1]; without
    starts: one of each.
    """
    fields = catalogue.fields
    match rule.attribute:
        case Attribute.OWNER:
            return None, fields.text("owner").codes.take(ordinals)
        case Attribute.NUMBER:
            numbers = fields.number(rule.key)
            if numbers is None:
                return None, np.full(ordinals.size, -1, np.int32)
            _, codes = np.unique(numbers.values[ordinals], return_inverse=True)
            return None, np.where(numbers.present[ordinals], codes, -1).astype(np.int32)
        case _:
            lists = fields.texts("categories" if rule.attribute is Attribute.CATEGORY else "tags")
            begins, lengths = lists.starts[ordinals], np.diff(lists.starts)[ordinals]
            starts = np.concatenate([[0], lengths.cumsum()])
            within = np.arange(starts[-1]) - starts[:-1].repeat(lengths)
            return starts, lists.codes[begins.repeat(lengths) + within]
