"""How the order of candidates is learned from choices: a conditional logit, step by step.

At an event its user would have been shown some candidates, and chose one. With u what slates
go by, the mean of the logits of wanted outcomes by their weights, without place and level,

    u = gain z + w . x        P(i is chosen) = exp(T u_i) / sum over candidates j of exp(T u_j)

(conditional logit: McFadden 1974; the same likelihood as a softmax with full cross-entropy over the
candidates), which is a logit of the features and of u without what is learned, whose coefficients
are T w and T. Each choice is one Newton step on it: with x_i these columns, A what is known of the
coefficients (a precision, begun with a prior around no w and the first T) and m the expectation
over the candidates by P,

    A <- A + sum over j of P_j (x_j - m) (x_j - m)'         T w, T <- T w, T + A^-1 (x_i - m)

(online Laplace approximation: Spiegelhalter & Lauritzen 1990). Columns of a feature for newcomers
and for regulars, or of what is popular by several half-lives, say nearly the same: steps by column,
as Adagrad's, take several times the choices. What choices told fades, as users change, back to the
prior. The step is the same for the w of all wanted outcomes: events say what users turn to. What
tells outcomes apart is for slates and what came of them to say, which refine the same head
(scorer_head.py); gain, level and place are theirs alone.

Bounded: a step by `max_step`, what is learned by `most`. Guarded: before a choice teaches, its
place with what is learned is compared with its place without, by NDCG@10. The head has it only
once that gains, by more than chance may, and as long as it does; otherwise it is learned on
beside the head. So on little evidence nobody sees it, and where it does harm it goes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float32s
from services.feed.parameters import Flags, Floats
from services.feedback.learner.model.scorer_head import Doubles, Ints, ScorerHead

_TEMPERATURES = (0.5, 32.0)
_FASTER = 1.25
_FIGURES = 5
_LARGEST = 100.0
_ROUNDED = 1e-3
"""Added to the diagonal of a precision, of itself, before it is inverted. In float32, what adds up
over `memory` choices is off by a ten-thousandth; of columns that say the same that is more than
their prior, and nothing is left that tells a step's length, or even its direction."""
_LEAST_CHOICES = 50
_PLACES = 10


@dataclass(frozen=True, slots=True)
class ChoiceConfig:
    """Constants of learning from choices.

    precision, temperature_precision: of the prior, of T w around 0 and of T around `temperature`.
    max_step: largest move of a weight by one choice, most: bound of a weight. memory: choices
    after which one counts 1/e, in what is learned and in what is compared. sure: standard errors
    by which places must be better to be seen.
    """

    precision: float = 6.0
    temperature: float = 4.0
    temperature_precision: float = 30.0
    max_step: float = 0.1
    most: float = 3.0
    memory: float = 2000.0
    sure: float = 2.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What would have been shown, and what was chosen.

    features float32 [n, columns], logits float32 [n, outcomes]: of candidates. chosen: which of
    them. moves bool [columns]: which weights it teaches.
    """

    features: Float32s
    logits: Float32s
    chosen: int
    moves: np.ndarray


@dataclass(frozen=True, slots=True)
class ChoiceChanges:
    """State of learning from choices as it is now: see ChoiceLearning.

    precisions: None where an earlier version wrote it, which kept none: they begin anew.
    """

    weights: Doubles
    precisions: Floats | None
    temperature: float
    figures: Doubles


class ChoiceLearning:
    """Learns from choices what is added to the weights of a head's wanted outcomes.

    weights float64 [columns]: what is learned. precisions float32 [columns + 1, columns + 1],
    symmetric: A, of T w and of T. temperature: T. figures float64 [5]: choices so far; then fading
    sums over choices: how many, of what NDCG@10 gains by what is learned, of its square; and 1
    while the head has it, else 0.
    """

    def __init__(self, columns: int, config: ChoiceConfig) -> None:
        self.config = config
        self.weights: Doubles = np.zeros(columns, np.float64)
        self._prior = np.append(np.full(columns, config.precision), config.temperature_precision)
        self.precisions: Floats = np.diag(self._prior).astype(np.float32)
        self.temperature = config.temperature
        self.figures: Doubles = np.zeros(_FIGURES, np.float64)

    @property
    def choices(self) -> int:
        """How many choices taught."""
        return int(self.figures[0])

    @property
    def advantage(self) -> float:
        """Mean gain in NDCG@10 by what is learned, over the last thousands of choices."""
        return float(self.figures[2] / max(self.figures[1], 1.0))

    @property
    def serves(self) -> bool:
        """Whether the head has what is learned."""
        return bool(self.figures[4])

    def learn(self, choices: Sequence[Choice], head: ScorerHead, weights: Doubles) -> bool:
        """Take a step for each choice, in order; return whether there was any.

        weights [outcomes]: how outcomes make one score. Choices whose logits are not finite teach
        nothing; nor does any where no outcome is wanted.
        """
        wanted = (weights > 0).nonzero()[0]
        taught = False
        for choice in choices:
            if not wanted.size or not np.isfinite(choice.logits).all():
                continue
            taught = True
            if self.serves:
                head.move(wanted, self.weights)
            self._note(choice, head, weights)
            self._step(choice, head, wanted, weights[wanted] / weights[wanted].sum())
            if self.serves:
                head.move(wanted, -self.weights)
        return taught

    def changes(self) -> ChoiceChanges:
        """Return the state as it is now."""
        return ChoiceChanges(
            self.weights.copy(), self.precisions.copy(), self.temperature, self.figures.copy()
        )

    def restore(self, changes: ChoiceChanges) -> None:
        """Set all of it."""
        self.weights = np.array(changes.weights, np.float64)
        if changes.precisions is not None:
            self.precisions = np.array(changes.precisions, np.float32)
        self.temperature = changes.temperature
        self.figures = np.array(changes.figures, np.float64)

    def _step(self, choice: Choice, head: ScorerHead, wanted: Ints, shares: Doubles) -> None:
        """Learn, given the head without what is learned."""
        config, own = self.config, head.parameters[wanted]
        features = choice.features.astype(np.float64)
        order = choice.logits[:, wanted] @ (shares * own[:, 0]) + features @ (shares @ own[:, 1:-2])
        odds = self.temperature * (order + features @ self.weights)
        odds -= odds.max()
        chances = np.exp(odds)
        chances /= chances.sum()
        order -= chances @ order
        columns = np.column_stack([features[:, choice.moves], order])
        np.clip(columns, -_LARGEST, _LARGEST, out=columns)
        columns -= chances @ columns
        moves, fades = np.append(choice.moves, True), 1.0 / config.memory
        beyond = self.temperature * np.append(self.weights, 1.0)[moves]
        beyond[-1] -= config.temperature
        gradient = columns[choice.chosen] - fades * self._prior[moves] * beyond
        told, self.temperature = self._solved(self._known(columns, chances, moves, fades), gradient)
        step = (beyond[:-1] + told) / self.temperature - self.weights[choice.moves]
        largest = float(np.abs(step).max(initial=0.0))
        if largest > config.max_step:
            step *= config.max_step / largest
        self.weights[choice.moves] += step
        np.clip(self.weights, -config.most, config.most, out=self.weights)

    def _known(self, columns: Doubles, chances: Doubles, moves: Flags, fades: float) -> Doubles:
        """Add what a choice tells to A; return A of the coefficients [m] that it moves.

        columns [n, m]: of its candidates, less what is expected of them.
        """
        spread = np.triu((columns * chances[:, np.newaxis]).T @ columns)
        block = np.ix_(moves, moves)
        # All of it fades, also what this choice does not move: T is shared, and if of what was
        # learned of it and of a weight together only the one faded, A were no precision any more.
        known: Doubles = (1.0 - fades) * self.precisions.astype(np.float64)
        known[np.diag_indices_from(known)] += fades * self._prior
        # Above and below the diagonal the same to the bit: frames hold one of them.
        known[block] += spread + np.triu(spread, 1).T
        self.precisions[:] = known
        precisions: Doubles = known[block]
        precisions[np.diag_indices_from(precisions)] *= 1.0 + _ROUNDED
        return precisions

    def _solved(
        self, precisions: Doubles, gradient: Doubles
    ) -> tuple[npt.NDArray[np.floating], float]:
        """Return by how much T w moves, and the new T, which stays within its bounds."""
        told = np.linalg.solve(precisions, gradient)
        free, now = self.temperature + told[-1], self.temperature
        bounded = float(np.clip(np.clip(free, now / _FASTER, now * _FASTER), *_TEMPERATURES))
        if bounded == free:
            return told[:-1], bounded
        # Weights go with the temperature that there is, not with the one that there would be.
        beside = gradient[:-1] - precisions[:-1, -1] * (bounded - now)
        return np.linalg.solve(precisions[:-1, :-1], beside), bounded

    def _note(self, choice: Choice, head: ScorerHead, weights: Doubles) -> None:
        """Compare the places of a choice with what is learned and without, and decide.

        What serves goes when its mean is below 0; what does not, serves when it is sure.
        """
        logits, features = choice.logits, choice.features
        learned = _place(choice.chosen, head.blended(logits, features, weights, self.weights))
        alone = _place(choice.chosen, head.blended(logits, features, weights))
        gain = _gain(learned) - _gain(alone)
        self.figures[0] += 1.0
        self.figures[1:4] *= 1.0 - 1.0 / self.config.memory
        self.figures[1:4] += (1.0, gain, gain * gain)
        count, gains, squares = self.figures[1:4].tolist()
        mean = gains / count
        error = np.sqrt(max(squares / count - mean * mean, 0.0) / count)
        least = 0.0 if self.serves else self.config.sure * error
        self.figures[4] = float(mean > least and count > _LEAST_CHOICES)


def _place(chosen: int, scores: Doubles) -> float:
    """Return the place, from 1, of one of the scores; equal ones share their mean place."""
    own = scores[chosen]
    better = np.count_nonzero(scores > own)
    return float(better + (np.count_nonzero(scores == own) + 1) / 2)


def _gain(place: float) -> float:
    """Return 1 / log2(1 + place) of the first places, and nothing of others: NDCG's."""
    return 1.0 / math.log2(1.0 + place) if place <= _PLACES else 0.0
