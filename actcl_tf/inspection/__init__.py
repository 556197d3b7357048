"""A look into a run's dictionaries: what the sampler puts there, in numbers and pictures."""
