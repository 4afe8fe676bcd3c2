"""Configuration of surfaces as rankers apply it."""
