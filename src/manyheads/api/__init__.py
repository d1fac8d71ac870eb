"""What Python users call; `manyheads` itself has all of it, imported when it is asked for."""
