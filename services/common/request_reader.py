"""Requests from the wire: bounded before they are made.

A list of empty elements takes two bytes an element on the wire and up to a hundred in memory. So
the fields of a large body are counted first: over its top level, and into elements that could hold
more than they may. A small body cannot hold many and is made at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from services.common.errors import (
    FieldViolation,
    HarkenError,
    InvalidRequestError,
    UndecodableError,
)
from services.common.request_limits import (
    DEFAULT_MOST,
    LARGE_BYTES,
    LARGE_MESSAGE_BYTES,
    LARGE_REQUESTS,
    MAX_BYTES,
    MAX_STRUCT_BYTES,
    MAX_TEXT_BYTES,
    MOST,
)

_SMALL_BYTES = 64 * 1024
"""Up to this a body is made without counting: 32,768 elements, a millisecond, 2 MiB."""
_SMALL_ELEMENT_BYTES = 1024
"""In an element up to this long only its lists are counted, and only roughly."""
_MOST_EXCESS = 1000
"""Elements of lists within elements beyond what those may have, over a whole request. Up to this
the servicer says which elements are wrong and takes the others."""
_SLACK = 100
"""How often fields of a message that are no lists may come beyond once each."""
_MOST_UNKNOWN = 10_000
"""Fields that we do not know, over a whole request: a newer client may send lists of them."""
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_FIXED = {
    FieldDescriptor.TYPE_DOUBLE: 8, FieldDescriptor.TYPE_FIXED64: 8,
    FieldDescriptor.TYPE_SFIXED64: 8, FieldDescriptor.TYPE_FLOAT: 4,
    FieldDescriptor.TYPE_FIXED32: 4, FieldDescriptor.TYPE_SFIXED32: 4,
}  # fmt: skip
_LONGEST_VARINT = 10


@dataclass(frozen=True, slots=True)
class Refused:
    """In the place of a request that is not made: what its caller is told."""

    error: HarkenError


@dataclass(slots=True)
class _Rule:
    """What a field may hold."""

    name: str
    most: int | None
    """Elements; None when it is no list."""
    most_bytes: int
    """Of one occurrence on the wire, where it has a length."""
    inner: "_Rules | None" = None
    once: bool = False
    """It is a message and no list: a parser would merge all that come into one."""


@dataclass(slots=True)
class _Rules:
    """What the fields of a message may hold, by number."""

    fields: dict[int, _Rule] = field(default_factory=dict)
    most_fields: int = 0
    tags: list[tuple[bytes, int]] = field(default_factory=list)
    """Of lists: first bytes that elements may have, and twice as many as there may be."""


def reader_of(message: type[Message]) -> Callable[[bytes], Message | Refused]:
    """Return what makes requests of a type from their bytes, or says why not; it never raises."""
    descriptor: Any = message.DESCRIPTOR
    rules = _rules_of(descriptor, {})
    most_bytes = LARGE_REQUESTS.get(descriptor.full_name, MAX_BYTES)
    # The bound method of the C++ class; looked up once.
    make: Callable[[bytes], Message] = message.FromString

    def read(body: bytes) -> Message | Refused:
        try:
            if len(body) > _SMALL_BYTES:
                _Count(body).walk(0, len(body), rules, "", within_element=False)
            if len(body) > most_bytes:
                what = f"the request is {len(body)} bytes, at most {most_bytes} are taken"
                return Refused(_refusal(_largest(body, rules), what))
            return make(body)
        except (DecodeError, IndexError):
            return Refused(UndecodableError("the body of the request cannot be decoded"))
        except InvalidRequestError as error:
            # Its frames hold the body.
            return Refused(error.with_traceback(None))

    return read


class _Count:
    """Counts the fields of one body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._excess = 0
        self._unknown = 0

    def walk(self, at: int, end: int, rules: _Rules, path: str, within_element: bool) -> None:
        """Check the fields of a message that lies from `at` to `end`.

        Raises:
            InvalidRequestError: a field holds too much.
            UndecodableError, IndexError: the bytes are no message.

        """
        body, fields = self._body, rules.fields
        counts: dict[int, int] = {}
        left = rules.most_fields
        while at < end:
            tag = body[at]
            at += 1
            if tag >= 0x80:
                tag, at = _varint(body, at - 1)
            number, kind = tag >> 3, tag & 7
            rule = fields.get(number)
            start = at
            if kind == _LENGTH:
                length = body[at]
                at += 1
                if length >= 0x80:
                    length, at = _varint(body, at - 1)
                start = at
                at += length
                if at > end:
                    raise IndexError
                if rule is not None and length > rule.most_bytes:
                    self._too_long(path, rule, counts.get(number, 0))
            elif kind == _VARINT:
                while body[at] >= 0x80:
                    at += 1
                    if at - start == _LONGEST_VARINT:
                        raise IndexError
                at += 1
            elif kind == _EIGHT_BYTES:
                at += 8
            elif kind == _FOUR_BYTES:
                at += 4
            else:
                raise IndexError
            if rule is None:
                self._unknown += 1
                if self._unknown > _MOST_UNKNOWN:
                    raise _refusal(path.rstrip("."), "holds too many fields that are not known")
                continue
            left -= 1
            if rule.once:
                if number in counts:
                    raise _refusal(path + rule.name, "comes more than once")
                counts[number] = 1
            if rule.most is not None:
                count = counts[number] = counts.get(number, 0) + 1
                if tag < 0x80 and (not rule.inner or at == start):
                    # Most of a long list lies together: go over it without looking around.
                    room = rule.most - count
                    more, at_next = self._run(at, end, tag, kind, room, rule)
                    if more:
                        count = counts[number] = count + more
                        left -= more
                        start = at = at_next
                if count > rule.most:
                    self._excess += 1
                    if not within_element or self._excess > _MOST_EXCESS:
                        what = f"must have at most {rule.most} elements, has more"
                        raise _refusal(path + rule.name, what)
                    left += 1
            if left < 0:
                raise _refusal(path + rule.name, "is repeated too often")
            if rule.inner is not None and at > start:
                self._inner(start, at, rule, path, counts.get(number, 1) - 1, within_element)
        if at != end:
            raise IndexError

    def _run(
        self, at: int, end: int, tag: int, kind: int, room: int, rule: _Rule
    ) -> tuple[int, int]:
        """Return how many short elements of a list follow, at most `room`, and where they end."""
        body, most = self._body, room
        if kind in (_EIGHT_BYTES, _FOUR_BYTES):
            step = 9 if kind == _EIGHT_BYTES else 5
            tags = body[at : min(end, at + max(0, room) * step) : step]
            same = len(tags) - len(tags.lstrip(bytes([tag])))
            at += same * step
            room -= same
        elif kind == _VARINT:
            while room > 0 and at + 1 < end and body[at] == tag and body[at + 1] < 0x80:
                at += 2
                room -= 1
        elif rule.inner is None and rule.most_bytes >= 0x80:
            while room > 0 and at + 1 < end and body[at] == tag and (size := body[at + 1]) < 0x80:
                at += 2 + size
                room -= 1
        elif rule.inner is not None:
            while room > 0 and at + 1 < end and body[at] == tag and body[at + 1] == 0:
                at += 2
                room -= 1
        if at > end:
            raise IndexError
        return most - room, at

    def _inner(
        self, start: int, end: int, rule: _Rule, path: str, index: int, within_element: bool
    ) -> None:
        assert rule.inner is not None
        length = end - start
        if length <= _SMALL_ELEMENT_BYTES and all(
            length <= most or self._body.count(tag, start, end) <= most
            for tag, most in rule.inner.tags
        ):
            return
        listed = rule.most is not None
        inner_path = f"{path}{rule.name}[{index}]." if listed else f"{path}{rule.name}."
        self.walk(start, end, rule.inner, inner_path, within_element or listed)

    def _too_long(self, path: str, rule: _Rule, index: int) -> None:
        place = f"[{index}]" if rule.most is not None else ""
        raise _refusal(f"{path}{rule.name}{place}", f"is longer than {rule.most_bytes} bytes")


def _rules_of(descriptor: Descriptor, known: dict[str, _Rules]) -> _Rules:
    """Return the rules of a message; `known` are those that are made or being made."""
    name = descriptor.full_name
    if name in known:
        return known[name]
    rules = known[name] = _Rules()
    for one in descriptor.fields:
        most = MOST.get(one.full_name, DEFAULT_MOST) if one.is_repeated else None
        once = most is None and one.message_type is not None
        rules.fields[one.number] = _Rule(one.name, most, *_bounds(one, most, known), once)
        rules.most_fields += 1 + (most or 0)
        if most is not None:
            kinds = {_LENGTH}
            if one.type in _FIXED:
                kinds.add(_EIGHT_BYTES if _FIXED[one.type] == 8 else _FOUR_BYTES)
            elif one.type not in (
                FieldDescriptor.TYPE_MESSAGE,
                FieldDescriptor.TYPE_STRING,
                FieldDescriptor.TYPE_BYTES,
            ):
                kinds.add(_VARINT)
            # A tag may be written longer than it need be, with the highest bit of its first byte.
            first = {(one.number << 3 | kind) & 0x7F | bit for kind in kinds for bit in (0, 0x80)}
            rules.tags += [(bytes([byte]), 2 * most) for byte in sorted(first)]
    rules.most_fields += _SLACK
    return rules


def _bounds(
    one: FieldDescriptor, most: int | None, known: dict[str, _Rules]
) -> tuple[int, _Rules | None]:
    """Return how long an occurrence of a field may be, and the rules of what is in it."""
    message = one.message_type
    if message is None:
        if one.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES) or most is None:
            return LARGE_BYTES.get(one.full_name, MAX_TEXT_BYTES), None
        # Many in one: twice as many as there may be, so that the servicer can say how many.
        return 2 * most * _FIXED.get(one.type, _LONGEST_VARINT), None
    if message.full_name == "google.protobuf.Struct":
        return MAX_STRUCT_BYTES, None
    if message.GetOptions().map_entry:
        return 2 * MAX_TEXT_BYTES, None
    return LARGE_MESSAGE_BYTES, _rules_of(message, known)


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 7 * _LONGEST_VARINT:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise IndexError


def _largest(body: bytes, rules: _Rules) -> str:
    """Return the name of the field of a message that has most of its bytes."""
    sizes: dict[int, int] = {}
    at = 0
    while at < len(body):
        before = at
        tag, at = _varint(body, at)
        kind = tag & 7
        if kind == _LENGTH:
            length, at = _varint(body, at)
            at += length
        elif kind == _VARINT:
            _, at = _varint(body, at)
        else:
            at += 8 if kind == _EIGHT_BYTES else 4
        sizes[tag >> 3] = sizes.get(tag >> 3, 0) + at - before
    number = max(sizes, key=lambda one: sizes[one])
    return rules.fields[number].name if number in rules.fields else ""


def _refusal(path: str, what: str) -> InvalidRequestError:
    return InvalidRequestError([FieldViolation(path, what)])
