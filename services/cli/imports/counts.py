"""What became of the rows of an import."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from services.cli.failures import CommandError


@dataclass(frozen=True, slots=True)
class Counts:
    """accepted + duplicates + quarantined + rejected = rows. created, updated and unchanged: items
    or users; of events created are the items that were added for them.
    """

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    rejected: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def plus(self, **more: int) -> "Counts":
        """Return counts with more of some."""
        return replace(self, **{name: getattr(self, name) + n for name, n in more.items()})

    @property
    def not_taken(self) -> int:
        """Return how many rows are neither accepted nor known."""
        return self.quarantined + self.rejected

    def as_json(self) -> Mapping[str, Any]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """How many rows may not be taken: `count`, or `share` of all. None: any number."""

    count: int | None = None
    share: float | None = None

    def check(self, not_taken: int, rows: int, sent: bool) -> None:
        """Raise CommandError when more rows than allowed are not taken.

        `rows`: all rows of the source. `sent`: something may have been imported already.
        """
        most = self.count
        if self.share is not None:
            most = int(self.share * rows)
        if most is not None and not_taken > most:
            what = "the import stops here" if sent else "nothing was imported"
            raise CommandError(
                f"{not_taken:,} of {rows:,} rows cannot be taken, --max-rejects allows {most:,}: "
                f"{what}"
            )


def reject_limit(text: str | None) -> RejectLimit:
    """Return what --max-rejects says: a number, or a share such as "5%".

    Raises:
        CommandError: it is neither.

    """
    if text is None:
        return RejectLimit()
    number = text.strip()
    try:
        if number.endswith("%"):
            share = float(number[:-1]) / 100
            if 0 <= share <= 1:
                return RejectLimit(share=share)
        elif number.isdigit():
            return RejectLimit(int(number))
    except ValueError:
        pass
    raise CommandError(f"--max-rejects must be a number, or a share such as 5%, is {text!r}")
