"""PostgreSQL: log, catalogue, generations, frames, checkpoints."""
