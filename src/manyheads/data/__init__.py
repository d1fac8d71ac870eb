"""Files → a data set: labels, classes, splits, the content of every image."""
