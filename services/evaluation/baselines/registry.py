"""All baselines by name: what they need, when they refuse, how they are fitted.

A baseline's module is imported only when it is fitted, as its libraries are optional.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.score_arm import Scorer
from services.system.timeline import Timeline


@dataclass(frozen=True, slots=True)
class BaselineContext:
    """What fitting may use besides the training part.

    timeline: for baselines that learn online. budget_seconds: what a baseline expects to exceed, it
    refuses. progress: hears of done and total. say: hears what was chosen.
    """

    timeline: Timeline
    seed: int
    budget_seconds: float
    max_items_ease: int
    progress: Callable[[int, int], None]
    say: Callable[[str], None]


class RefusedError(Exception):
    """A baseline does not take part; the message says why."""


Fit = Callable[[TrainPart, BaselineContext], Scorer]


@dataclass(frozen=True, slots=True)
class Baseline:
    """`fit` imports what it needs, fits, and returns a Scorer or raises RefusedError.

    Who needs modules of an extra names both.
    """

    fit: Fit
    needs: tuple[str, ...] = ()
    extra: str = ""

    def missing(self) -> str | None:
        """Return why the baseline cannot take part here, None when it can."""
        for module in self.needs:
            if importlib.util.find_spec(module) is None:
                return f"{module} is not installed (extra `{self.extra}`)"
        return None


def _popularity(train: TrainPart, context: BaselineContext) -> Scorer:
    from services.evaluation.baselines.popularity import fit

    return fit(train, context)


def _decayed_popularity(train: TrainPart, context: BaselineContext) -> Scorer:
    from services.evaluation.baselines.decayed_popularity import fit

    return fit(train, context)


def _item_knn(train: TrainPart, context: BaselineContext) -> Scorer:
    from services.evaluation.baselines.item_knn import fit

    return fit(train, context)


def _ease(train: TrainPart, context: BaselineContext) -> Scorer:
    from services.evaluation.baselines.ease import fit

    return fit(train, context)


def _ials(train: TrainPart, context: BaselineContext) -> Scorer:
    from services.evaluation.baselines.ials import fit

    return fit(train, context)


def _v_sknn(train: TrainPart, context: BaselineContext) -> Scorer:
    from services.evaluation.baselines.v_sknn import fit

    return fit(train, context)


def _sasrec(train: TrainPart, context: BaselineContext) -> Scorer:
    from services.evaluation.baselines.sasrec import fit

    return fit(train, context)


def _sasrec_ials(train: TrainPart, context: BaselineContext) -> Scorer:
    from services.evaluation.baselines.sasrec import fit

    return fit(train, context, from_ials=True)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "popularity": Baseline(_popularity),
        "decayed_popularity": Baseline(_decayed_popularity),
        "item_knn": Baseline(_item_knn, ("scipy",), "eval"),
        "ease": Baseline(_ease, ("scipy",), "eval"),
        "ials": Baseline(_ials, ("implicit", "scipy"), "eval"),
        "v_sknn": Baseline(_v_sknn),
        "sasrec": Baseline(_sasrec, ("torch",), "train"),
        "sasrec_ials": Baseline(_sasrec_ials, ("torch", "implicit", "scipy"), "train,eval"),
    }
)
