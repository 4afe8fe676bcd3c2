"""What makes an event sound."""
