"""The two towers: frontends, backbones and projection heads."""
