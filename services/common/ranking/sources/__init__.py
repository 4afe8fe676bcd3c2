"""Where candidates come from. One source per file; each proposes its best items."""
