"""Configuration of surfaces, in and out."""
