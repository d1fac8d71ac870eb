"""Figures; the report, from plain content to one file."""
