"""Everything that speaks SQL, by group of tables."""
