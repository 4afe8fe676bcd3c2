"""Histories made by code, of kinds that differ: no real people, no licence, the same for a seed.

Their shapes were written down before the system ran on any of them, and are not changed after what
it does on them. A history that the system loses on stays as it is.
"""
