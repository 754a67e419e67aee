"""From a file off a phone to bytes that the API takes."""
