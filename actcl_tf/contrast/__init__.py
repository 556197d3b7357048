"""Contrastive learning: losses, dictionary, pool and active sampling."""
