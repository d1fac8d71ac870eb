"""Where a model looked: maps over the feature grid, in closed form from one backbone pass."""
