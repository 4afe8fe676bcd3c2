"""What was done by whom: a log of administrative calls that cannot be changed unseen."""
