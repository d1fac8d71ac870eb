"""Finished studies and fits in the trackers of experiments that others keep."""
