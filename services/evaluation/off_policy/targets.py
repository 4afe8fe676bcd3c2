"""Target policies by the names that users give them."""

import math
from collections.abc import Mapping

from services.evaluation.off_policy.policies import Greedy, PlackettLuce, Policy, Uniform


def parsed_target(text: str) -> Policy | None:
    """Return the policy that a text means: uniform, greedy[:WEIGHTS] or pl:TEMPERATURE[:WEIGHTS],
    with WEIGHTS of outcomes as of parsed_weights. None: it is something else.

    Raises:
        ValueError: it begins as a policy, and goes on as none.

    """
    kind, _, rest = text.partition(":")
    match kind:
        case "uniform" if not rest:
            return Uniform()
        case "greedy":
            return Greedy(_outcomes(rest))
        case "pl":
            temperature, _, weights = rest.partition(":")
            return PlackettLuce(_temperature(temperature), _outcomes(weights))
        case _:
            return None


def parsed_weights(text: str) -> dict[str, float]:
    """Return weights by name: "purchase=5,click=1"; a name alone weighs 1.

    Raises:
        ValueError: a name is missing or there twice, or a weight is no finite number.

    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.strip().partition("=")
        weight = float(number) if equals else 1.0
        if not name or name in found or not math.isfinite(weight):
            raise ValueError(f"{text!r} is not like purchase=5,click=1")
        found[name] = weight
    return found


def _outcomes(text: str) -> Mapping[str, float]:
    if not text:
        return {}
    weights = parsed_weights(text)
    if not any(weight > 0 for weight in weights.values()):
        raise ValueError(f"{text!r} has no weight above 0")
    return weights


def _temperature(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0.001 <= found <= 100:
        raise ValueError(f"a temperature is 0.001 to 100, is {text!r}")
    return found
