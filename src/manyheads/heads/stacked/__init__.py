"""An engine of JAX programs, each of which trains many heads of one shape at once."""
