"""Expressions that are well typed, made of all that Harken's CEL has."""

import functools

from hypothesis import strategies as st

Texts = st.SearchStrategy[str]

WORDS = ("a", "b", "ab", "ä", "ba", "c")
KEYS = ("price", "year", "none")
_TEXT_FIELDS = ("item.id", "item.title", "item.owner")
_LIST_FIELDS = ("item.tags", "item.categories")
_TIME_FIELDS = ("item.publish_time", "item.expire_time", "item.update_time")


@st.composite
def filters(draw: st.DrawFn) -> str:
    """Return an expression of type bool."""
    return draw(_conditions(3, (), lists=True))


@functools.cache
def _conditions(depth: int, names: tuple[str, ...], *, lists: bool) -> Texts:
    """Return bools: of these names of macros' elements, and of lists of items where allowed."""
    leaves = [
        st.sampled_from(("true", "false", "user.vip", "user.nobody", "user.country")),
        st.sampled_from((*_TEXT_FIELDS, *_TIME_FIELDS)).map("has({})".format),
        st.sampled_from(KEYS).map("has(item.numbers.{})".format),
        st.sampled_from(KEYS).map('"{}" in item.numbers'.format),
        st.sampled_from(("has(user.age)", "has(user.nobody)", '"mobile" in context')),
        _binary(_texts(names, lists=lists), ("==", "!=", "<", "<=", ">", ">=")),
        _binary(_doubles(1, lists=lists), ("==", "!=", "<", "<=", ">", ">=")),
        _binary(_ints(1, lists=lists), ("==", "!=", "<", "<=", ">", ">=")),
        _binary(_times(1), ("==", "!=", "<", "<=", ">", ">=")),
        _binary(_durations(1), ("==", "!=", "<", "<=", ">", ">=")),
        # Between ints and doubles where the type checker lets them meet.
        _mixed(lists=lists),
        st.builds(
            "{}.{}({})".format, _texts(names, lists=lists), _TESTS, _texts(names, lists=lists)
        ),
        _in_lists(names, lists=lists),
    ]
    if lists:
        leaves.append(st.builds("{} in {}".format, _texts(names, lists=True), _LISTS))
        leaves.append(_LISTS.map("has({})".format))
    if depth == 0:
        return st.one_of(leaves)
    under = _conditions(depth - 1, names, lists=lists)
    deeper = [
        under.map("!({})".format),
        st.builds("({} && {})".format, under, under),
        st.builds("({} || {})".format, under, under),
        st.builds("({} ? {} : {})".format, under, under, under),
        _macros(
            st.sampled_from(('["a", "c"]', "user.likes", "user.nobody", "[item.owner]")),
            depth,
            names,
            lists=lists,
        ),
    ]
    if lists:
        deeper.append(_macros(_LISTS, depth, names, lists=False))
    return st.one_of(*leaves, *deeper)


def _macros(of: Texts, depth: int, names: tuple[str, ...], *, lists: bool) -> Texts:
    name = f"e{len(names)}"
    return st.builds(
        "{}.{}({}, {})".format,
        of,
        st.sampled_from(("exists", "all", "exists_one")),
        st.just(name),
        _conditions(depth - 1, (*names, name), lists=lists),
    )


@functools.cache
def _texts(names: tuple[str, ...], *, lists: bool) -> Texts:
    some = [
        st.sampled_from(_TEXT_FIELDS),
        st.sampled_from(WORDS).map('"{}"'.format),
        st.sampled_from(("user.country", "user['country']", "user.age", "context.device")),
        st.just("(has(item.owner) ? item.owner : item.title)"),
        st.just("(user.vip ? item.owner : item.id)"),
    ]
    if names:
        some.append(st.sampled_from(names))
    if lists:
        some.append(st.builds("{}[{}]".format, _LISTS, st.integers(-1, 2)))
    return st.one_of(some)


@functools.cache
def _doubles(depth: int, *, lists: bool) -> Texts:
    some = [
        st.sampled_from(KEYS).map("item.numbers.{}".format),
        st.sampled_from(KEYS).map("item.numbers['{}']".format),
        st.sampled_from(("0.0", "1.5", "-2.0", "2.5", "1e300", "user.age", "user.country")),
        st.sampled_from(("double(context.device)", "double('1.5')", "double(size(item.id))")),
    ]
    if depth:
        under = _known_doubles(depth - 1, lists=lists)
        some.append(_binary(under, ("+", "-", "*", "/")))
        some.append(under.map("-({})".format))
    return st.one_of(some)


@functools.cache
def _known_doubles(depth: int, *, lists: bool) -> Texts:
    """Return doubles whose type is known without a request."""
    return _doubles(depth, lists=lists).filter(lambda text: not text.startswith("user"))


@functools.cache
def _small_ints(*, lists: bool) -> Texts:
    """Return ints that are doubles, too."""
    some = [
        st.sampled_from(("0", "1", "2", "-3", "7")),
        st.sampled_from(_TEXT_FIELDS).map("size({})".format),
        st.sampled_from(_GETTERS),
    ]
    if lists:
        some.append(_LISTS.map("size({})".format))
    return st.one_of(some)


@functools.cache
def _ints(depth: int, *, lists: bool) -> Texts:
    some = [
        _small_ints(lists=lists),
        st.sampled_from(("9223372036854775807", "-9223372036854775808", "4611686018427387904")),
        st.sampled_from(KEYS).map("int(item.numbers.{})".format),
        st.sampled_from(
            ("int('12')", "int('x')", "int(now)", "int(item.publish_time)", "int(1e19)")
        ),
    ]
    if depth:
        under = _ints(depth - 1, lists=lists)
        some.append(_binary(under, ("+", "-", "*", "/", "%")))
        some.append(under.map("-({})".format))
    return st.one_of(some)


@functools.cache
def _mixed(*, lists: bool) -> Texts:
    signs = st.sampled_from(("==", "!=", "<", "<=", ">", ">="))
    number = st.sampled_from(KEYS).map("item.numbers.{}".format)
    whole = _small_ints(lists=lists)
    return st.one_of(
        st.builds("{} {} {}".format, number, signs, whole),
        st.builds("{} {} {}".format, whole, signs, number),
        st.builds("{} in [{}, {}]".format, number, whole, whole),
        st.builds("user.age {} {}".format, signs, whole),
    )


@functools.cache
def _in_lists(names: tuple[str, ...], *, lists: bool) -> Texts:
    of = st.sampled_from(('["a", "ab"]', "[]", "user.likes", "user.nobody", "user.mixed"))
    return st.one_of(
        st.builds("{} in {}".format, _texts(names, lists=lists), of),
        st.builds(
            "{} in [{}, 'c']".format, _texts(names, lists=lists), st.sampled_from(_TEXT_FIELDS)
        ),
        st.sampled_from(KEYS).map("item.numbers.{} in user.mixed".format),
    )


@functools.cache
def _times(depth: int) -> Texts:
    some = [
        st.sampled_from((*_TIME_FIELDS, "now")),
        st.sampled_from(
            (
                'timestamp("2020-02-29T23:59:59.5Z")',
                'timestamp("2021-01-01T00:00:00+02:00")',
                "timestamp(1600000000)",
                "timestamp(context.device)",
            )
        ),
    ]
    if depth:
        some.append(st.builds("({} {} {})".format, _times(0), st.sampled_from("+-"), _durations(0)))
    return st.one_of(some)


@functools.cache
def _durations(depth: int) -> Texts:
    some: list[Texts] = [
        st.sampled_from(("0", "1h", "-90m", "36h1.5s", "250ms", "1us")).map('duration("{}")'.format)
    ]
    if depth:
        some.append(st.builds("({} - {})".format, _times(0), _times(0)))
        some.append(_binary(_durations(0), ("+", "-")))
    return st.one_of(some)


def _binary(of: Texts, operators: tuple[str, ...]) -> Texts:
    return st.builds("({} {} {})".format, of, st.sampled_from(operators), of)


_LISTS = st.sampled_from(_LIST_FIELDS)
_TESTS = st.sampled_from(("startsWith", "endsWith", "contains"))
_GETTERS = (
    *(
        f"{time}.{getter}({zone})"
        for time in ("now", "item.publish_time")
        for getter in (
            "getFullYear",
            "getMonth",
            "getDate",
            "getDayOfMonth",
            "getDayOfYear",
            "getDayOfWeek",
            "getHours",
            "getMinutes",
            "getSeconds",
            "getMilliseconds",
        )
        for zone in ("", '"UTC"', '"-08:30"', '"02:00"')
    ),
    *(
        f"(now - item.publish_time).{getter}()"
        for getter in ("getHours", "getMinutes", "getSeconds")
    ),
)
