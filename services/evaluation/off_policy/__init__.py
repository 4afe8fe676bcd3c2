"""What another policy would have earned, from logged slates and what came of them."""
