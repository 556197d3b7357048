"""Exported encoders in one's own program."""
