"""A file of slates against target policies."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from services.evaluation.off_policy.estimate import Report, UnsupportedError, estimate
from services.evaluation.off_policy.given_target import GivenTarget
from services.evaluation.off_policy.logged_slate import LoggedSlate
from services.evaluation.off_policy.policies import Policy
from services.evaluation.off_policy.slate_file import SlateFile, SlateFileError
from services.evaluation.off_policy.weighed_log import weighed_log
from services.evaluation.off_policy.weighed_slate import WeighedSlate, weighed

Target = Policy | GivenTarget


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What is known of one target. left_out: slates, by why.

    propensities_off: how much logged propensities differ at most from those computed again of the
    candidates; None where they cannot be.
    """

    target: str
    report: Report
    left_out: Mapping[str, int]
    propensities_off: float | None


def evaluate_off_policy(file: SlateFile, target: Target) -> TargetReport:
    """Return estimates of a target's value.

    Raises:
        SlateFileError: the file cannot be read, or no slate of it has an event that is rewarded.
        UnsupportedError: the log does not say what the target would have earned.

    """
    left_out: Counter[str] = Counter()
    rows = list(_weighed(file.slates(), target, left_out))
    left_out.update(file.left_out)
    if not rows:
        said = ", ".join(f"{count:,} {why}" for why, count in left_out.items())
        raise UnsupportedError(f"no slate of {file.path} can be used: {said or 'it has none'}")
    if not file.types & file.reward.keys():
        # Nothing earned anything: zeros with intervals of no width would say it is known.
        raise SlateFileError(
            f"no slate of {file.path} has an event of the rewarded types "
            f"({', '.join(file.reward)}); there are: {', '.join(sorted(file.types)) or 'none'}. "
            "Say with --reward what is worth something"
        )
    known = [row.off for row in rows if not np.isnan(row.off)]
    off = max(known) if known else None
    return TargetReport(
        target.name, estimate(weighed_log(rows), propensities_off=off), dict(left_out), off
    )


def _weighed(
    slates: Iterator[LoggedSlate], target: Target, left_out: Counter[str]
) -> Iterator[WeighedSlate]:
    for slate in slates:
        if isinstance(target, GivenTarget):
            row = target.weighed(slate)
            if row is None:
                left_out["the target does not name it"] += 1
                continue
            yield row
        elif slate.candidates is None:
            left_out["without candidates"] += 1
        else:
            try:
                yield weighed(slate, slate.candidates, target)
            except KeyError as error:
                raise UnsupportedError(
                    f"slate {slate.slate_id!r} has no prediction of {error}; it has: "
                    f"{', '.join(slate.candidates.predicted) or 'none'}"
                ) from None
