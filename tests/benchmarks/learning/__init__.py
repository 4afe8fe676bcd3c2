"""What the system learns on histories of different kinds, and what that costs."""
