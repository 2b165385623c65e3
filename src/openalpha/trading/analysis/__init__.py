"""What became of a run: replayed, its orders' costs, its distance to the model."""
