"""What reports are made of: pages, figures, pictures of sound and clips that can be played."""
