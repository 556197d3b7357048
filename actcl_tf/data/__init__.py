"""Clips: from videos in any container to batches."""
