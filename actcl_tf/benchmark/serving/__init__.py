"""How fast exported encoders answer, and how well their forms agree."""
