"""Streams a real history through the public RPCs and measures what users would have seen."""
