"""The numbers that issues ask for: `make numbers ONLY=word`."""
