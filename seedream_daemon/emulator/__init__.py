"""A pretend Ark for demo and tests. Shares no code with the client.

In come requests as the documentation of Ark describes them; out go its answers, its errors, and
pictures that say what was asked. `server` is the edge: it opens the port. `app` decides, `checks`
refuses, `generation` draws in time, `bill` keeps the books.
"""
