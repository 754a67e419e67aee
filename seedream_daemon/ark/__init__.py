"""The Ark image API, and nothing of ours (it does not know what a Shot is)."""
