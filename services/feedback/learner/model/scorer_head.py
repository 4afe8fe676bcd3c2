"""The last layer of the scorer, learned online from slates and what became of them.

For features x and the scorer's logit z of an outcome, shown at place p (from 0):

    order = gain z + w . x        logit = slope order + bias + v log2(1 + p)

gain and slope start at 1, all else at 0: an untrained head changes nothing. The place term takes up
what a place does by itself (a shallow tower beside the model: Zhao et al. 2019, "Recommending what
video to watch next", RecSys; Guo et al. 2019, "PAL", RecSys); orders leave it out.

What orders (gain, w, v) learns from pairs of one slate: given that exactly one of two items was
taken, it was i with probability sigmoid(u_i - u_j), u = order + v log2(1 + p), whatever the level
(conditional likelihood of the logistic model: Rasch 1960; Cox & Snell 1989, section 2.1). So a
slate of which nothing was taken says nothing about the order, and that ten good items were shown
and left does not turn weights against what made them good.

What makes probabilities of orders (slope, bias) learns from all items by logistic loss (Platt 1999,
"Probabilistic outputs for support vector machines"): the best of many by a score are not as good as
they scored, and odds among a few items, or among candidates, are not odds against nothing. The
slope turns about the mean order of a step's items, where it leaves the logit to the level: else
both would learn one mistake twice.

Steps are Adagrad's (Duchi, Hazan & Singer 2011), with the squares of each user's gradient summed,
so that a large step learns about as much as many small ones. L2 pulls towards the start. An
outcome that comes after its slate has trained corrects it: the pairs that it wins are learned, and
for the level the positive example takes the place of the negative one (the gradients differ by -1).
A delayed outcome is learned once it is known, and left out of its slate before.

Influence is bounded: the gradient of a slate and of a user per step by `clip`, those of level and
slope by themselves (slates of which something was taken have the longer gradient of what orders:
one bound for all would take from the level on one side only), a step by `max_step` per parameter,
parameters by fixed bounds; how many slates of a user count is bounded by the joiner.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.feedback.learner.model.attribution_joiner import LateOutcome
from services.feedback.learner.model.impression import Impression
from services.feedback.learner.model.outcome_definition import GenerationOutcomes
from services.feedback.learner.model.pending_slate import Labels, PendingSlate

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_GAIN = (0.25, 4.0)
_WEIGHT = (-3.0, 3.0)
_BIAS = (-20.0, 20.0)
_PLACE = (-5.0, 5.0)
_SLOPE = (0.1, 4.0)
_BOUNDED = (_GAIN, _WEIGHT, _BIAS, _PLACE)


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """rate: Adagrad's. clip: bound of the norm of a slate's and a user's gradient. l2: pull towards
    the start, per slate. max_step: largest move of a parameter in one step. first_square: where
    the accumulators begin, > 0.
    """

    rate: float = 0.05
    clip: float = 2.0
    l2: float = 1e-4
    max_step: float = 0.5
    first_square: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class DelayedLesson:
    """A slate of which one delayed outcome, that of `column`, is known; its labels of others are
    all false.
    """

    pending: PendingSlate
    column: int


@dataclass(frozen=True, slots=True)
class _Examples:
    """Examples of a step: gradients [n, outcomes, columns + 3], of levels and of slopes
    [n, outcomes, 1], the first without levels; the mean order [outcomes] about which slopes turn;
    where slates begin in them, and whose they are, [slates], as numbers below `users`.
    """

    gradients: Doubles
    of_levels: Doubles
    of_slopes: Doubles
    middles: Doubles
    starts: Ints
    owners: Ints
    users: int

    def per_user(self, gradients: Doubles, clip: float) -> Doubles:
        """Return the sums [users, outcomes, parameters] of examples' gradients [n, outcomes,
        parameters], bounded by slate and by user.
        """
        per_slate = _clipped(np.add.reduceat(gradients, self.starts, axis=0), clip)
        if self.users == self.owners.size:
            return per_slate
        sums = np.zeros((self.users, *gradients.shape[1:]))
        np.add.at(sums, self.owners, per_slate)
        return _clipped(sums, clip)


class ScorerHead:
    """Head of one generation's scorer. Changed only by `train` and `restore`.

    parameters, accumulators: float64 [outcomes, columns + 3], columns gain, weights, bias, place.
    slopes, slope_squares: float64 [outcomes], the latter their accumulators.
    """

    def __init__(self, outcomes: GenerationOutcomes, columns: int, config: HeadConfig) -> None:
        self.generation_id = outcomes.generation_id
        self.outcomes = outcomes.names
        self._delayed = outcomes.delayed
        self.columns = columns
        self.config = config
        shape = (len(self.outcomes), columns + 3)
        self._start: Doubles = np.zeros(shape, np.float64)
        self._start[:, 0] = 1.0
        widths = (1, columns, 1, 1)
        self._least = np.array([low for low, _ in _BOUNDED]).repeat(widths)
        self._most = np.array([high for _, high in _BOUNDED]).repeat(widths)
        self.parameters: Doubles = self._start.copy()
        self.accumulators: Doubles = np.full(shape, config.first_square, np.float64)
        self.slopes: Doubles = np.ones(len(self.outcomes), np.float64)
        self.slope_squares: Doubles = np.full(len(self.outcomes), config.first_square, np.float64)
        self.slates = 0

    def fits(self, pending: PendingSlate) -> bool:
        """Return whether a slate can teach: scored, by this generation, with these columns."""
        slate = pending.slate
        return (
            slate.generation_id == self.generation_id
            and slate.outcomes == len(self.outcomes)
            and pending.labels.shape[1] == len(self.outcomes)
            and slate.width == self.columns
        )

    def train(
        self,
        settled: Sequence[PendingSlate],
        late: Sequence[LateOutcome],
        delayed: Sequence[DelayedLesson] = (),
    ) -> bool:
        """Take one step; return whether anything could teach."""
        settled = [pending for pending in settled if self.fits(pending)]
        late = [one for one in late if self.fits(one.pending)]
        delayed = [one for one in delayed if self.fits(one.pending)]
        if not settled and not late and not delayed:
            return False
        teaches = self._teaches(len(settled), delayed)
        examples = self._examples([*settled, *(one.pending for one in delayed)], late, teaches)
        taught = teaches.sum(axis=0)
        bound, clip = self.config.max_step, self.config.clip

        per_user = examples.per_user(examples.gradients, clip)
        per_user[:, :, -2:-1] = examples.per_user(examples.of_levels, clip)
        pull = self.config.l2 * taught[:, None] * (self.parameters - self._start)
        self.accumulators += np.einsum("uop,uop->op", per_user, per_user)
        step = self.config.rate * (per_user.sum(axis=0) + pull) / np.sqrt(self.accumulators)
        moved = self.parameters - np.minimum(np.maximum(step, -bound), bound)
        self.parameters = np.minimum(np.maximum(moved, self._least), self._most)

        slopes = examples.per_user(examples.of_slopes, clip)[:, :, 0]
        pull = self.config.l2 * taught * (self.slopes - 1.0)
        self.slope_squares += (slopes * slopes).sum(axis=0)
        step = self.config.rate * (slopes.sum(axis=0) + pull) / np.sqrt(self.slope_squares)
        turned = np.clip(self.slopes - np.clip(step, -bound, bound), *_SLOPE)
        # About the mean order: what slopes do there is for levels to do.
        self.parameters[:, -2] -= (turned - self.slopes) * examples.middles
        self.parameters[:, -2] = np.clip(self.parameters[:, -2], *_BIAS)
        self.slopes = turned
        self.slates += len(settled)
        return True

    def move(self, outcomes: Ints, step: Doubles) -> None:
        """Take a step, [columns] or [n, columns], off the weights of outcomes [n].

        Not bounded, so that the opposite step gives back what was there. `train` bounds the whole.
        """
        self.parameters[outcomes, 1:-2] -= step

    def blended(
        self,
        logits: npt.NDArray[np.floating],
        features: npt.NDArray[np.floating],
        weights: Doubles,
        more: Doubles | None = None,
    ) -> Doubles:
        """Return scores [n] of items as slates have them, by weights [outcomes] of outcomes, for
        logits [n, outcomes] of the scorer and features [n, columns].

        more [columns]: what comes to the weights of wanted outcomes.
        """
        own = self.parameters
        order = own[:, 0] * logits + features @ own[:, 1:-2].T
        if more is not None:
            order = order + np.outer(features @ more, weights > 0)
        scores: Doubles = _sigmoid(self.slopes * order + own[:, -2]) @ weights
        return scores

    def restore(
        self,
        parameters: Doubles,
        accumulators: Doubles | None,
        slopes: Doubles,
        slope_squares: Doubles | None,
        slates: int,
    ) -> None:
        """Set all of it; accumulators stay where they are not given."""
        shape = (len(self.outcomes), self.columns + 3)
        self.parameters = np.array(parameters, np.float64).reshape(shape)
        if accumulators is not None:
            self.accumulators = np.array(accumulators, np.float64).reshape(shape)
        self.slopes = np.array(slopes, np.float64).reshape(self.slopes.shape)
        if slope_squares is not None:
            self.slope_squares = np.array(slope_squares, np.float64).reshape(self.slopes.shape)
        self.slates = slates

    def _teaches(self, settled: int, delayed: Sequence[DelayedLesson]) -> Labels:
        """Return which outcomes each slate teaches, [slates, outcomes]: settled, then delayed."""
        teaches = np.zeros((settled + len(delayed), len(self.outcomes)), np.bool_)
        teaches[:settled] = ~self._delayed
        for row, one in enumerate(delayed, settled):
            teaches[row, one.column] = True
        return teaches

    def _examples(
        self, settled: Sequence[PendingSlate], late: Sequence[LateOutcome], teaches: Labels
    ) -> _Examples:
        pendings = [*settled, *(one.pending for one in late)]
        lengths = np.array([pending.labels.shape[0] for pending in pendings])
        inputs = _inputs([pending.slate for pending in pendings], lengths)
        logits = np.vecdot(inputs, self.parameters)
        order = np.vecdot(inputs[:, :, :-2], self.parameters[:, :-2])
        won = np.concatenate([pending.labels for pending in settled] + [_late(o) for o in late])
        # Whoever was taken by now loses against nobody.
        taken = np.concatenate([pending.labels for pending in pendings]) if late else won
        level = np.where(won, -1.0, 0.0)
        shown = sum(pending.labels.shape[0] for pending in settled)
        level[:shown] += _sigmoid((logits + (self.slopes - 1.0) * order)[:shown])
        if self._delayed.any():
            level[:shown] *= teaches.repeat(lengths[: len(settled)], axis=0)
        middles = order.mean(axis=0)
        users = [pending.slate.user_key for pending in pendings]
        number_of = {user: number for number, user in enumerate(dict.fromkeys(users))}
        gradients = pair_errors(logits, won, ~taken, lengths)[:, :, None] * inputs
        gradients[:, :, -2] = 0.0
        return _Examples(
            gradients,
            level[:, :, None],
            (level * (order - middles))[:, :, None],
            middles,
            lengths.cumsum() - lengths,
            np.array([number_of[user] for user in users], np.int64),
            len(number_of),
        )


def _clipped(gradients: Doubles, clip: float) -> Doubles:
    """Return gradients [n, outcomes, parameters], each outcome's shortened to the bound."""
    norms = np.sqrt(np.vecdot(gradients, gradients))
    shrink = np.minimum(1.0, clip / np.maximum(norms, 1e-12))
    clipped: Doubles = gradients * shrink[:, :, None]
    return clipped


def pair_errors(logits: Doubles, won: Labels, lost: Labels, lengths: Ints) -> Doubles:
    """Return the derivatives [n, outcomes] of -sum ln sigmoid(logit_i - logit_j) by the logits.

    The sum goes over pairs of one slate of which i won and j lost; each i counts 1 in all.
    logits, won, lost: [n, outcomes]. lengths: of the slates, with sum n.
    """
    errors: Doubles = np.zeros(logits.shape)
    if not won.any():
        return errors
    ends = np.cumsum(lengths)
    # Slates without a pair, which are most of them, cost nothing more.
    both = np.logical_and(
        np.logical_or.reduceat(won, ends - lengths, axis=0),
        np.logical_or.reduceat(lost, ends - lengths, axis=0),
    )
    for slate, outcome in np.argwhere(both).tolist():
        rows = slice(int(ends[slate] - lengths[slate]), int(ends[slate]))
        winners = np.flatnonzero(won[rows, outcome])
        losers = np.flatnonzero(lost[rows, outcome])
        own = logits[rows, outcome]
        share = _sigmoid(own[losers][None, :] - own[winners][:, None]) / losers.size
        errors[rows, outcome][winners] -= share.sum(axis=1)
        errors[rows, outcome][losers] += share.sum(axis=0)
    return errors


def _late(one: LateOutcome) -> Labels:
    """Return which item of a slate won late, [items, outcomes]."""
    won = np.zeros_like(one.pending.labels)
    won[one.place] = one.labels
    return won


def _inputs(slates: Sequence[Impression], lengths: Ints) -> Doubles:
    """Return what the parameters are multiplied with, [items, outcomes, columns + 3]."""
    logits = np.concatenate([slate.logits for slate in slates])
    features = np.concatenate([slate.features for slate in slates])
    places = np.log2(np.arange(1.0, lengths.max() + 1.0))
    inputs = np.ones((*logits.shape, features.shape[1] + 3))
    inputs[:, :, 0] = logits
    inputs[:, :, 1:-2] = features[:, None, :]
    inputs[:, :, -1] = np.concatenate([places[:length] for length in lengths.tolist()])[:, None]
    return inputs


def _sigmoid(logits: Doubles) -> Doubles:
    """Return 1 / (1 + e^-x), without overflow."""
    small = np.exp(-np.abs(logits))
    result: Doubles = np.where(logits >= 0, 1.0, small) / (1.0 + small)
    return result
