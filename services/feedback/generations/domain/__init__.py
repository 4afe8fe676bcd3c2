"""What makes a generation sound."""
