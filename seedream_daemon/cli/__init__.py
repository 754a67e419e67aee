"""Words in, one action called, text and exit code out."""
