"""Rows of any format as blocks of columns: the one reader of all commands."""
