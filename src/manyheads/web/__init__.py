"""Models and studies in a browser: `service` for who uses a model, `studio` for who makes it."""
