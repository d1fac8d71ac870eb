"""What knows nothing of images: settings, places, downloads, children, text."""
