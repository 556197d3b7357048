"""Keras callbacks of a training: progress, scalars, figures, checkpoints, checks."""
