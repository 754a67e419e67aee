"""A pretend Ark for demo and tests. Shares no code with the client."""
