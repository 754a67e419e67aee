"""Who is connected: a daemon that was started on demand lives as long as anybody is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Clients:
    """How many clients are connected at this moment; stopping waits for none of them."""

    count: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one more as long as the context lasts."""
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
