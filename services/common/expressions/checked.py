"""Parses and type-checks with the CEL library."""

import difflib
import functools
import re

from cel_expr_python import cel
from google.protobuf import any_pb2, descriptor_pool, struct_pb2, timestamp_pb2
from google.protobuf.message import DecodeError

from harken.internal.expressions.v1 import checked_pb2, item_pb2
from services.common.expressions.error import ExpressionError
from services.common.expressions.limits import MAX_BYTES, MAX_DEPTH


class CheckedText:
    """An expression that parsed and whose types fit together."""

    def __init__(self, text: str, tree: checked_pb2.Checked) -> None:
        """Keep what the checker gave."""
        self._text = text
        self._positions = tree.source.positions
        self.root = tree.expr
        """The tree, with macros written out."""

    def fault(self, node: checked_pb2.Expr, message: str) -> ExpressionError:
        """Return the error that says `message` at a node."""
        offset = min(self._positions.get(node.id, 0), len(self._text))
        before = self._text[:offset]
        return ExpressionError(message, before.count("\n") + 1, offset - before.rfind("\n"))


def check(text: str, *, with_item: bool) -> CheckedText:
    """Parse and type-check an expression.

    Args:
        text: CEL.
        with_item: whether it may use `item`; `user`, `context` and `now` it always may.

    Raises:
        ExpressionError: it does not parse, its types do not fit, or it is too long or too deep.

    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ExpressionError("a character is no Unicode text", 1, error.start + 1) from error
    if size > MAX_BYTES:
        raise ExpressionError(f"the expression is {size} bytes, at most {MAX_BYTES}", 1, 1)
    if not text.strip():
        raise ExpressionError("the expression is empty", 1, 1)
    try:
        compiled = _environment(with_item).compile(text)
        packed = any_pb2.Any.FromString(compiled.serialize())
        tree = checked_pb2.Checked.FromString(packed.value)
    except RuntimeError as error:
        told = _told(str(error))
        if not with_item and re.match(r"undeclared reference to 'item[.']", told.message):
            told = ExpressionError("a condition knows no item", told.line, told.column)
        raise told from error
    except DecodeError as error:
        raise _too_deep() from error
    return CheckedText(text, tree)


@functools.cache
def _environment(with_item: bool) -> cel.Env:
    """Return the library's environment: made once, as that takes 50 ms."""
    kinds = cel.Type
    variables = {
        "user": kinds.Map(kinds.STRING, kinds.DYN),
        "context": kinds.Map(kinds.STRING, kinds.STRING),
        "now": kinds.TIMESTAMP,
    }
    pool = descriptor_pool.DescriptorPool()
    for file in (struct_pb2.DESCRIPTOR, timestamp_pb2.DESCRIPTOR, item_pb2.DESCRIPTOR):
        pool.AddSerializedFile(file.serialized_pb)
    if with_item:
        variables["item"] = kinds(item_pb2.Item.DESCRIPTOR.full_name)
    return cel.NewEnv(descriptor_pool=pool, variables=variables)


_PLACED = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_OPERATOR = re.compile(r"'(?:_|@)?([^\w\s']+|in)_?'(?= applied)")
_NO_FIELD = re.compile(
    rf"undefined field '(.*)' not found in struct '{re.escape(item_pb2.Item.DESCRIPTOR.full_name)}'"
)


def _told(report: str) -> ExpressionError:
    """Return the first error of a report of the library."""
    found = _PLACED.search(report)
    if "recursion" in report:
        return _too_deep()
    if found is None:
        return ExpressionError(report, 1, 1)
    line, column, message = (
        int(found[1]),
        int(found[2]),
        found[3].removesuffix(" [INVALID_ARGUMENT]"),
    )
    message = _NO_FIELD.sub(_without_field, message.replace(" (in container '')", ""))
    message = _OPERATOR.sub(r"'\1'", message).replace("google.protobuf.", "")
    if re.search(r"\((int, double|double, int)\)'$", message):
        message += "; write whole numbers as 2.0, or double(...)"
    return ExpressionError(message, max(line, 1), max(column, 1))


def _without_field(found: re.Match[str]) -> str:
    """Return that the item has no such field, which it has, and what may be meant: a field of a
    similar name, or else a number.
    """
    name, fields = found[1], [field.name for field in item_pb2.Item.DESCRIPTOR.fields]
    meant = f"a number is item.numbers.{name}"
    similar = difflib.get_close_matches(name, fields, n=1)
    if similar:
        meant = f"perhaps item.{similar[0]}"
    return f"item has no field {name!r}, but {', '.join(fields)}; {meant}"


def _too_deep() -> ExpressionError:
    return ExpressionError(f"the expression nests more than {MAX_DEPTH} deep", 1, 1)
