"""The built-in data set: sounding objects, rendered to real MP4 files."""
