"""Does a network learn a mark instead of a class? Planted, trained, measured, and remedied."""
