"""A grid of runs that differ in how negatives are chosen, and what follows from it."""
