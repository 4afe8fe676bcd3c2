"""The learner: one active instance a shard."""
