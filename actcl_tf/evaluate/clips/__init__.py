"""Which clips are measured, with their labels, folds and low-shot draws."""
