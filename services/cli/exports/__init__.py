"""What a suite holds, written to files that `harken import` reads back."""
