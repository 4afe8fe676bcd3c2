"""Who was exposed to which variant, and when first."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class Exposures:
    """Users in rows, in the order in which they came.

    A user belongs to the variant of the first exposure, whatever comes later: so nobody who was
    assigned is lost, and variants stay comparable. Memory: about 200 bytes a user.
    """

    def __init__(self, variants: Sequence[str]) -> None:
        """`variants`: names, the control first."""
        self._codes = {name: code for code, name in enumerate(variants)}
        self._rows: dict[str, int] = {}
        self._first_us: list[int] = []
        self._variants: list[int] = []
        self._mixed: set[int] = set()
        self.slates = [0] * len(variants)
        """Slates of each variant."""
        self.not_served = [0] * len(variants)
        """Of these, made as without the experiment."""
        self.unknown = 0
        """Exposures to variants that there are not."""

    def take(self, user_id: str, variant: str, time_us: int, not_served: bool = False) -> None:
        """Note that a user was shown a slate of a variant; in any order."""
        code = self._codes.get(variant)
        if code is None:
            self.unknown += 1
            return
        self.slates[code] += 1
        self.not_served[code] += not_served
        row = self._rows.setdefault(user_id, len(self._rows))
        if row == len(self._first_us):
            self._first_us.append(time_us)
            self._variants.append(code)
            return
        if code != self._variants[row]:
            self._mixed.add(row)
        if time_us < self._first_us[row]:
            self._first_us[row] = time_us
            self._variants[row] = code

    def row(self, user_id: str) -> int | None:
        """Return where a user is; None: was never exposed."""
        return self._rows.get(user_id)

    def __len__(self) -> int:
        """Return how many users there are."""
        return len(self._rows)

    def first_us(self) -> npt.NDArray[np.int64]:
        """Return times of first exposures [users]."""
        return np.array(self._first_us, np.int64)

    def variants(self) -> npt.NDArray[np.int64]:
        """Return numbers of variants [users], 0 is the control."""
        return np.array(self._variants, np.int64)

    def counts(self) -> tuple[int, ...]:
        """Return how many users each variant has."""
        found = np.bincount(self.variants(), minlength=len(self._codes)).tolist()
        return tuple(found)

    @property
    def mixed(self) -> int:
        """How many users saw more than one variant."""
        return len(self._mixed)
