"""What `harken evaluate` shows."""
