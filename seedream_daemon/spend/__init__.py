"""What may be spent, what was spent, and how fast requests may start."""
