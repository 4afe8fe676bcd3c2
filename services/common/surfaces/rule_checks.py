"""Checks of one business rule. Limits are those that surface.proto states."""

from harken.feedback.v1 import surface_pb2 as pb
from services.common.surfaces.expression_checks import Expected, check_expression
from services.common.validation import MAX_ID_BYTES, Checks

MAX_SLOTS = 100
MAX_LAST_SLATES = 50
_KINDS = tuple(field.name for field in pb.Rule.DESCRIPTOR.oneofs_by_name["kind"].fields)
_ATTRIBUTES = ("owner", "category", "tag")
_RESERVED = ("exploration", "diversity")
_NUMBER = "number."
"""Goes before the name of a number; all that follows is the name."""


def check_rule(checks: Checks, field: str, rule: pb.Rule) -> None:
    """Check a rule by itself."""
    checks.name(f"{field}.name", rule.name)
    if rule.name in _RESERVED:
        checks.fail(f"{field}.name", f"{rule.name!r} is what lost_rules calls a part of a surface")
    if rule.when:
        check_expression(checks, f"{field}.when", rule.when, Expected.CONDITION)
    kind = rule.WhichOneof("kind")
    own = f"{field}.{kind}"
    match kind:
        case "boost":
            _check_items(checks, own, rule.boost.items)
            checks.between(f"{own}.factor", rule.boost.factor, 0.001, 1000)
        case "pin":
            _check_pin(checks, own, rule.pin)
        case "at_least":
            _check_items(checks, own, rule.at_least.items)
            checks.between(f"{own}.count", rule.at_least.count, 1, MAX_SLOTS)
        case "at_most":
            _check_items(checks, own, rule.at_most.items)
            checks.between(f"{own}.count", rule.at_most.count, 0, MAX_SLOTS)
        case "share":
            _check_items(checks, own, rule.share.items)
            if not 0 < rule.share.share <= 1:
                checks.fail(f"{own}.share", f"must be above 0, at most 1, is {rule.share.share:,}")
        case "cap":
            _check_cap(checks, own, rule.cap)
        case "sort":
            check_expression(checks, f"{own}.by", rule.sort.by, Expected.NUMBER)
        case _:
            checks.fail(field, f"needs one of {', '.join(_KINDS)}")


def _check_items(checks: Checks, field: str, items: str) -> None:
    check_expression(checks, f"{field}.items", items, Expected.FILTER)


def _check_pin(checks: Checks, field: str, pin: pb.Pin) -> None:
    match pin.WhichOneof("what"):
        case "item_id":
            checks.id(f"{field}.item_id", pin.item_id)
        case "items":
            _check_items(checks, field, pin.items)
        case _:
            checks.fail(field, "needs item_id or items")
    checks.between(f"{field}.slot", pin.slot, 1, MAX_SLOTS)


def _check_cap(checks: Checks, field: str, cap: pb.Cap) -> None:
    if cap.attribute.startswith(_NUMBER):
        key = cap.attribute.removeprefix(_NUMBER)
        if not 0 < len(key.encode()) <= MAX_ID_BYTES:
            what = f"must have 1 to {MAX_ID_BYTES} bytes after {_NUMBER!r}"
            checks.fail(f"{field}.attribute", what)
    elif cap.attribute not in _ATTRIBUTES:
        what = f"must be one of {', '.join(_ATTRIBUTES)}, or {_NUMBER!r} and a key"
        checks.fail(f"{field}.attribute", what)
    checks.between(f"{field}.most", cap.most, 1, MAX_SLOTS)
    checks.between(f"{field}.last_slates", cap.last_slates, 0, MAX_LAST_SLATES)
