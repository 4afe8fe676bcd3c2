"""What slates are ranked by, for who serves them and who learns from them."""
