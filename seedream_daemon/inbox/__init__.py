"""Folders arrive, are claimed, and are put away."""
