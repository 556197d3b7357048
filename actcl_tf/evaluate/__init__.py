"""Measuring encoders on held-out clips."""
