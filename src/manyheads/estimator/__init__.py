"""`HeadClassifier`: heads as a scikit-learn estimator."""
