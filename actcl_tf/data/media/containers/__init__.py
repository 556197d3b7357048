"""A media file -> decoded frames and audio with their times, and what of it is damaged."""
