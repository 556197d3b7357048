"""Finding segments in a collection of videos and sounds by picture or by sound."""
