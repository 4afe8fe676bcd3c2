"""How the order of candidates is learned from choices: a conditional logit, step by step.

At an event its user would have been shown some candidates, and chose one. With u what slates
go by, the mean of the logits of wanted outcomes by their weights, without place and level,

    u = gain z + w . x        P(i is chosen) = exp(T u_i) / sum over candidates j of exp(T u_j)

(conditional logit: McFadden 1974; the same likelihood as a softmax with full cross-entropy over the
candidates). Each choice is one step of Adagrad (Duchi, Hazan & Singer 2011), from the order of the
scorer alone on, pulled towards it. The step is the same for the w of all wanted outcomes: events
say what users turn to. What tells outcomes apart is for slates and what came of them to say, which
refine the same head (scorer_head.py); gain, level and place are theirs alone. T is the scale of
logits against the odds of choices, and is learned beside.

Bounded: a step by `max_step`, what is learned by `most`. Guarded: before a choice teaches, its
place with what is learned is compared with its place without, by NDCG@10. The head has it only
once that gains, by more than chance may, and as long as it does; otherwise it is learned on
beside the head. So on little evidence nobody sees it, and where it does harm it goes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.common.arrays import Float32s
from services.feed.parameters import Floats
from services.feedback.learner.model.scorer_head import Doubles, Ints, ScorerHead

_TEMPERATURES = (0.5, 32.0)
_FIGURES = 5
_MOST_SQUARED = 1e30
_LEAST_CHOICES = 50
_PLACES = 10


@dataclass(frozen=True, slots=True)
class ChoiceConfig:
    """Constants of learning from choices.

    rate: Adagrad's, in logits. first_square: where its sums of squares begin, > 0. pull: towards
    the order without, a choice. max_step: largest move of a weight by one choice, most: bound of a
    weight. temperature, temperature_rate: where T begins, and Adagrad's rate for its logarithm.
    memory: choices after which one counts 1/e in what is compared. sure: standard errors by which
    places must be better to be seen.
    """

    rate: float = 0.025
    first_square: float = 64.0
    pull: float = 1e-4
    max_step: float = 0.05
    most: float = 1.5
    temperature: float = 4.0
    temperature_rate: float = 0.02
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
    """State of learning from choices as it is now: see ChoiceLearning."""

    weights: Doubles
    squares: Floats
    temperature: float
    figures: Doubles


class ChoiceLearning:
    """Learns from choices what is added to the weights of a head's wanted outcomes.

    weights float64 [columns]: what is learned. squares float32 [columns + 1]: Adagrad's sums, of
    weights and of log T. temperature: T. figures float64 [5]: choices so far; then fading sums
    over choices: how many, of what NDCG@10 gains by what is learned, of its square; and 1 while
    the head has it, else 0.
    """

    def __init__(self, columns: int, config: ChoiceConfig) -> None:
        self.config = config
        self.weights: Doubles = np.zeros(columns, np.float64)
        self.squares: Floats = np.full(columns + 1, config.first_square, np.float32)
        self.squares[-1] = 1.0
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
            self.weights.copy(), self.squares.copy(), self.temperature, self.figures.copy()
        )

    def restore(self, changes: ChoiceChanges) -> None:
        """Set all of it."""
        self.weights = np.array(changes.weights, np.float64)
        self.squares = np.array(changes.squares, np.float32)
        self.temperature = changes.temperature
        self.figures = np.array(changes.figures, np.float64)

    def _step(self, choice: Choice, head: ScorerHead, wanted: Ints, shares: Doubles) -> None:
        """Learn, given the head without what is learned."""
        config, own = self.config, head.parameters[wanted]
        features = choice.features.astype(np.float64)
        order = choice.logits[:, wanted] @ (shares * own[:, 0])
        order += features @ (shares @ own[:, 1:-2] + self.weights)
        odds = self.temperature * order
        odds -= odds.max()
        errors = np.exp(odds)
        errors /= errors.sum()
        errors[choice.chosen] -= 1.0
        gradient = np.empty(self.squares.size)
        gradient[:-1] = self.temperature * (errors @ features)
        gradient[:-1] += config.pull * config.first_square * self.weights
        gradient[:-1][~choice.moves] = 0.0
        gradient[-1] = self.temperature * (errors @ order)
        self.squares += np.minimum(gradient * gradient, _MOST_SQUARED)
        step = gradient / np.sqrt(self.squares)
        bound = config.max_step
        self.weights -= np.clip(config.rate * step[:-1], -bound, bound)
        np.clip(self.weights, -config.most, config.most, out=self.weights)
        least, most = _TEMPERATURES
        moved = self.temperature * np.exp(-config.temperature_rate * step[-1])
        self.temperature = float(min(max(moved, least), most))

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
