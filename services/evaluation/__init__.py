"""Measures recommendations by what users did next. Reads no file and asks no service."""
