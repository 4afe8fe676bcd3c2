"""Owns the write side: log, catalogue, learner, generations and the feed."""
