"""Experiments: who gets which variant."""
