"""The best classifier for these images within a time, and what to expect of it."""
