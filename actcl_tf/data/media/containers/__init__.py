"""A media file -> decoded frames and sound with their times, and what of it is damaged."""
