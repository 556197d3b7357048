"""Measures the encoders of a run while it trains."""
