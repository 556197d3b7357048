"""Finding moments in a collection of videos and sounds by picture or by sound."""
