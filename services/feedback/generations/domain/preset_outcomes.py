"""Outcomes that fit the event types of a preset: what a trained scorer is asked to predict."""

from services.feedback.learner.model.outcome_definition import OutcomeDefinition


def preset_outcomes(name: str) -> tuple[OutcomeDefinition, ...]:
    """Return outcomes for a preset; weights are where to start, surfaces may have others.

    Raises:
        ValueError: there is no such preset.

    """
    match name:
        case "shopping":
            return (
                _outcome("click", 1, "view", "click", "wishlist", "add_to_cart", "purchase"),
                _outcome("purchase", 5, "purchase"),
                _outcome("hide", -10, "hide"),
            )
        case "media":
            return (
                _outcome("play", 1, "play", "complete", "click", "view"),
                _outcome("long_view", 3, "play", min_value=30),
                _outcome("favour", 3, "like", "save", "share"),
                _outcome("hide", -10, "skip", "dislike", "hide"),
            )
        case "social_feed":
            return (
                _outcome("click", 1, "click"),
                _outcome("long_view", 2, "view", min_value=10),
                _outcome("interact", 5, "like", "comment", "share", "save", "follow"),
                _outcome("hide", -20, "not_interested", "hide", "mute", "report", "unfollow"),
            )
        case "education":
            return (
                _outcome("start", 1, "view", "click", "enroll", "study", "exercise"),
                _outcome("long_study", 2, "study", min_value=300),
                _outcome("complete", 5, "complete"),
                _outcome("hide", -5, "drop", "too_easy", "too_hard", "hide"),
            )
        case "finance":
            return (
                _outcome("click", 1, "view", "click", "compare", "calculate", "watchlist"),
                _outcome("take", 10, "apply", "buy", "subscribe"),
                _outcome("hide", -10, "decline", "unwatch", "hide"),
            )
        case _:
            raise ValueError(f"no preset {name!r}")


def _outcome(
    name: str, weight: float, *event_types: str, min_value: float | None = None
) -> OutcomeDefinition:
    return OutcomeDefinition(name, frozenset(event_types), min_value, weight)
