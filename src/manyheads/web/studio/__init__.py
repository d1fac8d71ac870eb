"""`manyheads studio`: data, runs and models of a folder, on a page."""
