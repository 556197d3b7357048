"""Encoders for applications: SavedModels that need TensorFlow alone, and smaller TFLite models."""
