"""Configuration of surfaces: what is right."""
