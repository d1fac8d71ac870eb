"""A run handed over: its model card, and a folder for the Hugging Face hub."""
