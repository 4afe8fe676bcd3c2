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

Bounded: a step by `max_step`, w by the head. Guarded: the place that the scorer alone gives to what
is chosen is noted beside the place that it got, and where learning has made it worse by more than
chance, w goes half of the way back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.common.arrays import Float32s
from services.feed.parameters import Floats
from services.feedback.learner.model.scorer_head import Doubles, Ints, ScorerHead

_TEMPERATURES = (0.5, 32.0)
_FIGURES = 5
_MOST_SQUARED = 1e30


@dataclass(frozen=True, slots=True)
class ChoiceConfig:
    """Constants of learning from choices.

    rate: Adagrad's, in logits. first_square: where its sums of squares begin, > 0. pull: towards
    the scorer's own order, a choice. max_step: largest move of a weight by one choice.
    temperature, temperature_rate: where T begins, and Adagrad's rate for its logarithm. memory:
    choices after which one counts 1/e in the guard. least: choices before it judges, bound: how
    many standard errors worse is more than chance.
    """

    rate: float = 0.025
    first_square: float = 64.0
    pull: float = 1e-4
    max_step: float = 0.05
    temperature: float = 4.0
    temperature_rate: float = 0.02
    memory: float = 2000.0
    least: float = 100.0
    bound: float = 2.0


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

    squares: Floats
    temperature: float
    figures: Doubles


class ChoiceLearning:
    """Learns the weights of a head from choices.

    squares float32 [columns + 1]: Adagrad's sums, of weights and of log T. temperature: T. figures
    float64 [5]: choices so far; then fading sums over choices: how many, of gain of the learned
    place over the scorer's own, of its square; and times that weights went back.
    """

    def __init__(self, columns: int, config: ChoiceConfig) -> None:
        self.config = config
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
        """Mean gain in 1 / log2(1 + place) by what was learned, over the last thousands."""
        return float(self.figures[2] / max(self.figures[1], 1.0))

    @property
    def retreats(self) -> int:
        """How often weights went back."""
        return int(self.figures[4])

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
            self._note(choice, head, weights)
            self._step(choice, head, wanted, weights[wanted] / weights[wanted].sum())
            self._guard(head, wanted)
        return taught

    def changes(self) -> ChoiceChanges:
        """Return the state as it is now."""
        return ChoiceChanges(self.squares.copy(), self.temperature, self.figures.copy())

    def restore(self, changes: ChoiceChanges) -> None:
        """Set all of it."""
        self.squares = np.array(changes.squares, np.float32)
        self.temperature = changes.temperature
        self.figures = np.array(changes.figures, np.float64)

    def _step(self, choice: Choice, head: ScorerHead, wanted: Ints, shares: Doubles) -> None:
        config, own = self.config, head.parameters[wanted]
        learned: Doubles = shares @ own[:, 1:-2]
        features = choice.features.astype(np.float64)
        order = choice.logits[:, wanted] @ (shares * own[:, 0]) + features @ learned
        odds = self.temperature * order
        odds -= odds.max()
        errors = np.exp(odds)
        errors /= errors.sum()
        errors[choice.chosen] -= 1.0
        gradient = np.empty(learned.size + 1)
        gradient[:-1] = self.temperature * (errors @ features)
        gradient[:-1] += config.pull * config.first_square * learned
        gradient[:-1][~choice.moves] = 0.0
        gradient[-1] = self.temperature * (errors @ order)
        self.squares += np.minimum(gradient * gradient, _MOST_SQUARED)
        step = gradient / np.sqrt(self.squares)
        bound = config.max_step
        head.move(wanted, np.clip(config.rate * step[:-1], -bound, bound))
        least, most = _TEMPERATURES
        moved = self.temperature * np.exp(-config.temperature_rate * step[-1])
        self.temperature = float(min(max(moved, least), most))

    def _note(self, choice: Choice, head: ScorerHead, weights: Doubles) -> None:
        """Count how the choice was placed, with what is learned and without."""
        learned = _place(choice.chosen, head.blended(choice.logits, choice.features, weights))
        alone = _place(choice.chosen, head.blended_alone(choice.logits, weights))
        gain = float(1.0 / np.log2(1.0 + learned) - 1.0 / np.log2(1.0 + alone))
        self.figures[0] += 1.0
        self.figures[1:4] *= 1.0 - 1.0 / self.config.memory
        self.figures[1:4] += (1.0, gain, gain * gain)

    def _guard(self, head: ScorerHead, wanted: Ints) -> None:
        count, gains, squares = self.figures[1:4].tolist()
        if count < self.config.least or gains >= 0.0:
            return
        mean = gains / count
        error = np.sqrt(max(squares / count - mean * mean, 0.0) / count)
        if -mean > self.config.bound * error:
            head.move(wanted, 0.5 * head.parameters[wanted, 1:-2])
            # Judged anew from here on.
            self.figures[1:4] = 0.0
            self.figures[4] += 1.0


def _place(chosen: int, scores: Doubles) -> float:
    """Return the place, from 1, of one of the scores; equal ones share their mean place."""
    own = scores[chosen]
    better = np.count_nonzero(scores > own)
    return float(better + (np.count_nonzero(scores == own) + 1) / 2)
