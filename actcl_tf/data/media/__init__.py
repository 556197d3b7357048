"""One video -> clips of frames and audio, decoded in processes of their own; no TensorFlow."""
