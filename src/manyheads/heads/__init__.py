"""Heads: what one is, how banks of them train, and their files."""

# First of all: Numba, which these modules import, learns from it where its cache is.
from manyheads.core import places as _places  # noqa: F401 - imported for what it sets
