"""The command line. Uses public RPCs only."""
