"""Thin servicers: validate, convert, call, convert."""
