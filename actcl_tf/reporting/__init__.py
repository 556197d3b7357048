"""What reports are made of: pages, figures, images of audio and clips that can be played."""
