"""`manyheads serve`: models answer over HTTP, and on a page."""
