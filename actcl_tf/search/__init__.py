"""Finding segments in a collection of videos and audio by video or by audio."""
