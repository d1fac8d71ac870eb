"""A Keras model of the user's, taken apart and made a model of ours."""
