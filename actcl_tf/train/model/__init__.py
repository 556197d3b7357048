"""Train steps and what they need: losses over replicas, optimizers, scalars."""
