"""A plan becomes pictures."""
