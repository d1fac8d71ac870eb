"""Whole networks in files: written, opened, predicting, exported, imported."""
