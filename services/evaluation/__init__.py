"""Measures recommendations by what users did next. Pure: no I/O, no clock."""
