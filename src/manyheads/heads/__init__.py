# First of all: Numba, which these modules import, learns from it where its cache is.
from manyheads import places as _places  # noqa: F401
