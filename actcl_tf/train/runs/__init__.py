"""A run's folder: its configuration, its checkpoints, its lock, and how a run may end."""
