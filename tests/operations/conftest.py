"""Fixtures of the tests of operations."""

from tests.feedback.conftest import connect, processes

__all__ = ["connect", "processes"]
