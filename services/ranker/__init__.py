"""Owns ranking: retrieval, filters, scoring, slates."""
