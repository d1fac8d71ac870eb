"""A model in another format, checked before it has a name."""
