"""Owns users: attributes, behaviour counters, user state and vector."""
