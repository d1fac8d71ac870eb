"""The verbs: a study from images to its best model, its plan, its test evaluation."""
