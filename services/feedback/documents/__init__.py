"""What is configured by name and versioned: surfaces, experiments."""
