"""The services of Harken and the tools beside them. Never put this folder itself on sys.path."""
