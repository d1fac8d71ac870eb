"""Features, computed once per image and kept by content."""
