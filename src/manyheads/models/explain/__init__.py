"""Where a model looked: maps over the feature map, in closed form from one backbone pass."""
