"""How well class scores and neighbours fit the labels."""
