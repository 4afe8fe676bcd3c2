"""Fixtures of the tests of operations."""

from tests.feedback.conftest import admin, connect, processes

__all__ = ["admin", "connect", "processes"]
