"""One video -> clips of frames and sound, decoded in processes of their own; no TensorFlow."""
