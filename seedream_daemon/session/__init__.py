"""What a run leaves on disk: an append-only journal, pictures, and views of them."""
