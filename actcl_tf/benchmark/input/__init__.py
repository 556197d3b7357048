"""How fast clips come out of the input pipeline, and videos become records."""
