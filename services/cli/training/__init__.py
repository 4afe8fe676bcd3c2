"""What `harken train` and `harken tune` share."""
