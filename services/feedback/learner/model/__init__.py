"""What the learner learns, and how: pure."""
