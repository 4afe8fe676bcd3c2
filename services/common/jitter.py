"""Pauses of chance length, so that those who failed together do not come back together."""

from random import SystemRandom


def jittered(seconds: float, least: float = 0.5, most: float = 1.0) -> float:
    """Return `seconds` times a factor between `least` and `most`, each as likely.

    By the system's random numbers: no state that others in the process see move.
    """
    return seconds * SystemRandom().uniform(least, most)
