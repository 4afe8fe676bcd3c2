"""Erasing users: what calls ask for, and what is carried on in the background."""
