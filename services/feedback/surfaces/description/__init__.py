"""Surfaces in words: what article 27 of Regulation (EU) 2022/2065 asks for, from configuration."""
