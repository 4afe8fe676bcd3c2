"""Generations: published, tried, promoted, rolled back."""
