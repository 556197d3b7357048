"""Measuring what training and sampling cost, several ways side by side in one run."""
