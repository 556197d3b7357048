"""What a training step costs, whole and in parts, beside PyTorch."""
