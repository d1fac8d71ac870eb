"""Candidates × seeds × folds: settings, record, selection, resuming."""
