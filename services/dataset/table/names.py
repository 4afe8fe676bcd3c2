"""Names of columns as they are compared."""

import re
from collections import Counter
from collections.abc import Iterable

_RECBOLE = re.compile(r":(token|token_seq|float|float_seq)$")


def column_name(name: str) -> str:
    """Return a column's name as it is compared: in lower case, without RecBole's ":token"."""
    return _RECBOLE.sub("", name.strip().lower())


def twice_in(names: Iterable[str]) -> frozenset[str]:
    """Return the names that occur more than once."""
    return frozenset(name for name, count in Counter(names).items() if count > 1)
