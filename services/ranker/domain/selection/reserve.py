"""What limits still allow is not used up by items while those of minimums need it."""

from collections import Counter

from services.common.arrays import Bools
from services.ranker.domain.selection.limits import Codes, Limit, Limits, equal_to_any
from services.ranker.domain.selection.minimums import Minimums
from services.ranker.domain.selection.plan import AtLeast


class Reserve:
    """Of each minimum and each limit with one value per item, how many items more than it needs.

    Three of a seller's items are promised, and the seller may have three: then no other item of the
    seller may stand first. Each limit is looked at by itself, so limits that leave a minimum less
    only together are not seen; and so are those with several values per item.
    """

    def __init__(self, limits: Limits, minimums: Minimums) -> None:
        self._minimums = minimums
        self._pairs = [
            _Pair(number, rule, limit, limit.codes)
            for number, rule in enumerate(minimums.rules)
            for limit in limits.all
            if limit.codes is not None
        ]

    def narrowed(self, within: Bools) -> Bools:
        """Return which of the candidates [n] may be taken; once for each place that is decided."""
        for pair in self._pairs:
            missing = self._minimums.missing(pair.number)
            # What is taken makes it one less at most.
            pair.spare -= 1
            if missing <= 0 or pair.spare > 0:
                continue
            taking = pair.taking(within, missing)
            if taking is not None:
                narrowed = within > taking
                if narrowed[narrowed.argmax()]:
                    within = narrowed
        return within


class _Pair:
    def __init__(self, number: int, rule: AtLeast, limit: Limit, codes: Codes) -> None:
        self.number = number
        self.spare = 0
        self._rule = rule
        self._limit = limit
        self._codes = codes

    def taking(self, within: Bools, missing: int) -> Bools | None:
        """Return which candidates [n] would take what the rule needs; count anew what is spare."""
        counts = Counter(self._codes[within & self._rule.items].tolist())
        without = counts.pop(-1, 0)
        # Of each value there may be one at least: it is not barred.
        self.spare = without + len(counts) - missing
        if self.spare > 0:
            return None
        room = {code: self._limit.room(code) for code in counts}
        self.spare = without - missing
        self.spare += sum(min(count, room[code]) for code, count in counts.items())
        tight = [code for code, count in counts.items() if count >= room[code]]
        if self.spare > 0 or not tight:
            return None
        return equal_to_any(self._codes, tight) > self._rule.items
