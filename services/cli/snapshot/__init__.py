"""Checking the learner's newest checkpoint, and the frames after it, against live rankers."""
