"""How a source is written, as far as its bytes do not say it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from services.dataset.faults import SourceError

Converter = tuple[Sequence[str], Callable[..., object]]

_ESCAPES = {"\\t": "\t", "tab": "\t", "\\x01": "\x01", "\\u0001": "\x01", "\\|": "|"}


class Quoting(StrEnum):
    """What quotation marks mean in delimited text.

    auto: a cell in quotes as RFC 4180 writes it; marks that do not fit are text. rfc4180: the same,
    and lines whose marks do not fit are rejected. none: all marks are text.
    """

    AUTO = "auto"
    RFC4180 = "rfc4180"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read; None: found in the file.

    delimiter: of one character or more. columns: names of the columns of a file without header.
    nulls: texts that mean an empty cell. lists: path of a list in each row whose elements are the
    rows. converters: columns that are made of the cells of others (or of their own) in the same
    row, by name: those columns, and what takes their cells. They are made before `lists` is read.
    """

    delimiter: str | None = None
    columns: Sequence[str] | None = None
    quoting: Quoting = Quoting.AUTO
    encoding: str | None = None
    nulls: frozenset[str] = frozenset()
    lists: str | None = None
    converters: Mapping[str, "Converter"] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Return a text that differs where the same bytes may be other rows."""
        columns = None if self.columns is None else list(self.columns)
        found = (self.delimiter, columns, self.quoting.value, self.encoding, sorted(self.nulls),
                 self.lists, sorted(self.converters))  # fmt: skip
        return repr(found)


def delimiter_of(text: str | None) -> str | None:
    """Return the delimiter that an option means: escapes as shells pass them are read.

    Raises:
        SourceError: it is empty, or a line break, or a quotation mark.

    """
    if text is None:
        return None
    found = _ESCAPES.get(text.lower(), text)
    if not found or any(char in '\r\n"' for char in found):
        raise SourceError(
            f"{text!r} cannot be a delimiter: give one or more characters, such as ';', '\\t' or "
            "'::'"
        )
    return found
