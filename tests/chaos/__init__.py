"""The net: traffic, faults, model and validation as separate parts; `python -m tests.chaos`."""
