"""Statistics: numbers → numbers; no files, no sentences."""
