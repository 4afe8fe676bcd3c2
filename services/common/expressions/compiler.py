"""From the checked tree to what runs over columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from harken.internal.expressions.v1 import checked_pb2
from services.common.expressions import fields, lists, logic, texts
from services.common.expressions.checked import CheckedText
from services.common.expressions.comparison import member
from services.common.expressions.frame import Frame
from services.common.expressions.functions import UnsupportedError, call, made
from services.common.expressions.limits import LISTS_COST, MAX_COST, MAX_LOOPED, ROWS_COST
from services.common.expressions.node import Node, Run
from services.common.expressions.values import (
    FAILED,
    Kind,
    Value,
    bools,
    doubles,
    either,
    elements_of,
    ints,
    list_of,
    of_plain,
    one_text,
    texts_among,
    times,
)

Expr = checked_pb2.Expr

_MAPS = ("user", "context")


def compiled(checked: CheckedText) -> Node:
    """Return what evaluates an expression.

    Raises:
        ExpressionError: it uses what is not supported, or costs too much.

    """
    node = _Compiler(checked).node(checked.root, _Scope())
    if node.cost > MAX_COST:
        raise checked.fault(
            checked.root,
            f"the expression costs {node.cost}, at most {MAX_COST} (see docs/expressions.md)",
        )
    return node


@dataclass(frozen=True, slots=True)
class _Scope:
    """Names that macros gave, and whether one of these macros goes over lists of items."""

    names: Mapping[str, Node] = field(default_factory=dict)
    in_lists: bool = False

    def with_name(self, name: str, node: Node) -> "_Scope":
        return replace(self, names={**self.names, name: node})


class _Compiler:
    def __init__(self, checked: CheckedText) -> None:
        self._checked = checked
        self._macros = 0

    def node(self, expr: Expr, scope: _Scope) -> Node:
        """Return what evaluates a node of the tree."""
        try:
            return self._node(expr, scope)
        except UnsupportedError as error:
            raise self._checked.fault(expr, str(error)) from error

    def _node(self, expr: Expr, scope: _Scope) -> Node:
        match expr.WhichOneof("kind"):
            case "constant":
                return _constant(expr.constant)
            case "name":
                return _named(expr.name.name, scope)
            case "select":
                return self._selected(expr.select, scope)
            case "call":
                return self._called(expr.call, scope)
            case "list":
                return self._list(expr.list, scope)
            case "comprehension":
                return self._macro(expr.comprehension, scope)
            case _:
                raise UnsupportedError("maps and messages cannot be written here")

    def _selected(self, select: checked_pb2.Select, scope: _Scope) -> Node:
        if _is_global(select.operand, "item", scope):
            if select.field == fields.NUMBERS:
                raise UnsupportedError("item.numbers is used as item.numbers.KEY")
            if fields.is_list(select.field):
                _refuse_within_lists(select.field, scope)
                if not select.is_has:
                    return fields.list_field(select.field)
            return fields.has_field(select.field) if select.is_has else fields.field(select.field)
        if _is_numbers(select.operand, scope):
            return fields.has_number(select.field) if select.is_has else fields.number(select.field)
        of = self._map(select.operand, scope)
        key = select.field
        if select.is_has:
            return made(Kind.BOOL, lambda value: _has_member(value, key), of)
        return made(_kind_within(select.operand, scope), lambda value: _member(value, key), of)

    def _map(self, expr: Expr, scope: _Scope) -> Node:
        """Return what may be a map: of the request, or within it."""
        for name in _MAPS:
            if _is_global(expr, name, scope):
                return _request_map(name)
        return self.node(expr, scope)

    def _called(self, call_: checked_pb2.Call, scope: _Scope) -> Node:
        arguments = [*([call_.target] if call_.HasField("target") else ()), *call_.arguments]
        if call_.function == "@in":
            return self._in(arguments[0], arguments[1], scope)
        if call_.function == "_[_]":
            return self._indexed(arguments[0], arguments[1], scope)
        of = tuple(self.node(one, scope) for one in arguments)
        if call_.function == "size" and of[0].kind is Kind.TEXTS:
            return made(Kind.INT, _list_size, of[0])
        return call(call_.function, of)

    def _in(self, value: Expr, range_: Expr, scope: _Scope) -> Node:
        key = self.node(value, scope)
        if _is_numbers(range_, scope):
            return _by_key(Kind.BOOL, key, lambda frame, text: fields.has_number(text).run(frame))
        of = self._map(range_, scope)
        if of.kind is Kind.TEXTS:
            return made(Kind.BOOL, _list_holds, of, key)
        if of.kind not in (Kind.LIST, Kind.MAP, Kind.UNKNOWN):
            raise UnsupportedError(f"'in' takes a list or a map, not {of.kind.value}")
        return made(Kind.BOOL, member, key, of)

    def _indexed(self, of_expr: Expr, key_expr: Expr, scope: _Scope) -> Node:
        key = self.node(key_expr, scope)
        if key.by_row:
            raise UnsupportedError("what is in [ ] is one for all items")
        if _is_numbers(of_expr, scope):
            if key.text is not None:
                return fields.number(key.text)
            return _by_key(Kind.DOUBLE, key, lambda frame, text: frame.number(text))
        of = self._map(of_expr, scope)
        if of.kind is Kind.TEXTS:
            return made(Kind.TEXT, _list_at, of, key)
        if of.by_row:
            raise UnsupportedError("[ ] does not take what differs from item to item")
        return made(_kind_within(of_expr, scope), _at, of, key)

    def _list(self, list_: checked_pb2.List, scope: _Scope) -> Node:
        elements = tuple(self.node(one, scope) for one in list_.elements)
        kinds = {one.kind for one in elements}
        if kinds & {Kind.LIST, Kind.TEXTS, Kind.MAP}:
            raise UnsupportedError("a list within a list")
        node = made(Kind.LIST, lambda *values: list_of(values), *elements)
        if node.by_row and len(kinds) > 1:
            raise UnsupportedError("a list of values of items has elements of one type")
        element = next(iter(kinds)) if len(kinds) == 1 else Kind.UNKNOWN
        return replace(node, length=len(elements), element=element)

    def _macro(self, loop: checked_pb2.Comprehension, scope: _Scope) -> Node:
        macro, body_expr = _recognised(loop)
        over = self._map(loop.range, scope)
        self._macros += 1
        token = f"element {self._macros}"
        if over.kind is Kind.TEXTS:
            element = Node(Kind.TEXT, _variable(token), frozenset({token}), by_row=True)
            inner = replace(scope.with_name(loop.variable, element), in_lists=True)
            return _over_items(macro, token, over, self.node(body_expr, inner))
        if over.kind not in (Kind.LIST, Kind.UNKNOWN):
            raise UnsupportedError(f"{macro}() goes over a list, not {over.kind.value}")
        element = Node(
            over.element,
            _variable(token),
            over.reads | {token},
            over.by_row,
            ROWS_COST if over.by_row else 1,
        )
        inner = scope.with_name(loop.variable, element)
        if macro == "exists" and not over.by_row and self._asks_in(body_expr, loop, scope):
            lists_of = self.node(body_expr.call.arguments[1], inner)
            return made(Kind.BOOL, _lists_hold_any, lists_of, over)
        return _over_list(macro, token, over, self.node(body_expr, inner))

    def _asks_in(self, body: Expr, loop: checked_pb2.Comprehension, scope: _Scope) -> bool:
        """Return whether a body is `element in item.LIST`."""
        if body.WhichOneof("kind") != "call" or body.call.function != "@in":
            return False
        value, range_ = body.call.arguments
        return (
            value.WhichOneof("kind") == "name"
            and value.name.name == loop.variable != "item"
            and range_.WhichOneof("kind") == "select"
            and not range_.select.is_has
            and _is_global(range_.select.operand, "item", scope)
            and fields.is_list(range_.select.field)
        )


def _constant(constant: checked_pb2.Constant) -> Node:
    match constant.WhichOneof("value"):
        case "bool_value":
            value = bools(np.array([constant.bool_value]))
        case "int_value":
            value = ints(np.array([constant.int_value], dtype=np.int64))
        case "double_value":
            value = doubles(np.array([constant.double_value]))
        case "string_value":
            text = constant.string_value
            of_text = one_text(text)
            return Node(Kind.TEXT, lambda frame: of_text, text=text)
        case "null_value":
            value = Value(Kind.NULL)
        case "uint_value":
            raise UnsupportedError("unsigned numbers are not supported")
        case _:
            raise UnsupportedError("bytes are not supported")
    return Node(value.kind, lambda frame: value)


def _named(name: str, scope: _Scope) -> Node:
    if name in scope.names:
        return scope.names[name]
    if name == "now":
        return Node(
            Kind.TIME,
            lambda frame: times(np.array([frame.request.now_us], dtype=np.int64)),
            frozenset({"now"}),
        )
    if name in ("item", *_MAPS):
        raise UnsupportedError(f"{name} is used as {name}.NAME")
    raise UnsupportedError(f"{name} is no value here")


def _request_map(name: str) -> Node:
    def run(frame: Frame) -> Value:
        request = frame.request
        return Value(Kind.MAP, members=request.user if name == "user" else request.context)

    return Node(Kind.MAP, run, frozenset({name}))


def _variable(token: str) -> Run:
    return lambda frame: frame.variables[token]


def _is_global(expr: Expr, name: str, scope: _Scope) -> bool:
    return expr.WhichOneof("kind") == "name" and expr.name.name == name and name not in scope.names


def _is_numbers(expr: Expr, scope: _Scope) -> bool:
    return (
        expr.WhichOneof("kind") == "select"
        and expr.select.field == fields.NUMBERS
        and not expr.select.is_has
        and _is_global(expr.select.operand, "item", scope)
    )


def _kind_within(of: Expr, scope: _Scope) -> Kind:
    """Return the kind of the members of a map."""
    return Kind.TEXT if _is_global(of, "context", scope) else Kind.UNKNOWN


def _refuse_within_lists(name: str, scope: _Scope) -> None:
    if scope.in_lists:
        raise UnsupportedError(f"item.{name} within a macro over another list of the item")


def _recognised(loop: checked_pb2.Comprehension) -> tuple[str, Expr]:
    """Return which macro a comprehension was, and its body."""
    begin = loop.begin.constant.WhichOneof("value") if loop.begin.HasField("constant") else None
    step = loop.step.call
    if begin == "bool_value" and step.function in ("_||_", "_&&_"):
        return ("all" if loop.begin.constant.bool_value else "exists"), step.arguments[1]
    if begin == "int_value" and step.function == "_?_:_":
        return "exists_one", step.arguments[0]
    raise UnsupportedError("map() and filter() are not supported; use exists, all or exists_one")


def _by_key(kind: Kind, key: Node, read: Callable[[Frame, str], Value]) -> Node:
    """Return what reads the numbers of items under a key of the request."""
    if key.by_row:
        raise UnsupportedError("the key of a number is one for all items")

    def run(frame: Frame) -> Value:
        value = key.run(frame)
        text = texts.only(value) if value.kind is Kind.TEXT else None
        if text is None:
            return FAILED if kind is not Kind.BOOL or value.error is not None else _NO
        return read(frame, text)

    return Node(kind, run, key.reads | {"item"}, by_row=True, cost=key.cost + ROWS_COST)


_NO = bools(np.zeros(1, dtype=np.bool_))


def _member(value: Value, key: str) -> Value:
    if value.kind is not Kind.MAP or value.members is None or key not in value.members:
        return FAILED
    return of_plain(value.members[key])


def _has_member(value: Value, key: str) -> Value:
    if value.kind is not Kind.MAP or value.members is None:
        return FAILED
    return bools(np.array([key in value.members]))


def _at(of: Value, key: Value) -> Value:
    if of.kind is Kind.MAP and key.kind is Kind.TEXT:
        text = texts.only(key)
        return FAILED if text is None else _member(of, text)
    if of.kind is Kind.LIST and key.kind is Kind.INT and either(of.error, key.error) is None:
        elements, place = elements_of(of), int(key.data[0])
        return elements[place] if 0 <= place < len(elements) else FAILED
    return FAILED


def _list_size(of: Value) -> Value:
    return FAILED if of.lists is None else lists.size(of.lists)


def _list_at(of: Value, place: Value) -> Value:
    return FAILED if of.lists is None else lists.at(of.lists, place)


def _list_holds(of: Value, value: Value) -> Value:
    return FAILED if of.lists is None else lists.holds(of.lists, value)


def _lists_hold_any(of: Value, wanted: Value) -> Value:
    if of.lists is None or wanted.kind is not Kind.LIST or wanted.error is not None:
        return FAILED
    return lists.holds_any(of.lists, texts_among(wanted) or ())


def _over_items(macro: str, token: str, over: Node, body: Node) -> Node:
    """Return a macro over the lists of texts of the items."""
    alone = "item" not in body.reads

    def run(frame: Frame) -> Value:
        of = over.run(frame).lists
        if of is None:
            return FAILED
        return lists.looped(macro, frame, of, token, body.run, alone)

    cost = over.cost + ROWS_COST + (body.cost if alone else LISTS_COST * body.cost)
    return Node(Kind.BOOL, run, over.reads | body.reads - {token}, by_row=True, cost=cost)


def _over_list(macro: str, token: str, over: Node, body: Node) -> Node:
    """Return a macro over a list that is written, or of the request."""

    def run(frame: Frame) -> Value:
        of = over.run(frame)
        elements = elements_of(of) if of.kind is Kind.LIST else ()
        if of.kind is not Kind.LIST or (over.length is None and len(elements) > MAX_LOOPED):
            return FAILED
        each = [body.run(frame.bound(token, element)) for element in elements]
        found = _folded(macro, each)
        return bools(found.data, either(of.error, found.error))

    length = MAX_LOOPED if over.length is None else over.length
    return Node(
        Kind.BOOL,
        run,
        over.reads | body.reads - {token},
        over.by_row or body.by_row,
        over.cost + max(length, 1) * body.cost,
    )


def _folded(macro: str, each: list[Value]) -> Value:
    if macro == "exists_one":
        count = np.zeros(1, dtype=np.int64)
        for value in each:
            count = count + logic.certain(value, True)
        return bools(count == 1, either(*(logic.error_of(value) for value in each)))
    fold = logic.any_of if macro == "exists" else logic.all_of
    found = bools(np.array([macro == "all"]))
    for value in each:
        found = fold(found, value)
    return found
