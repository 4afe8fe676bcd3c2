"""Slates as the configuration of a surface shapes them."""
