"""What time it is at the service, as its answers say."""

from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

_PATIENCE_S = 10.0


async def server_time(base_url: str) -> datetime | None:
    """Ask for the time at no cost and without a key; None where no answer says it.

    It is exact to a second, and to the time that the answer took.
    """
    async with httpx.AsyncClient(timeout=_PATIENCE_S, follow_redirects=False) as client:
        try:
            async with client.stream("GET", base_url) as response:
                date = response.headers.get("date")
        except httpx.TransportError:
            return None
    try:
        return parsedate_to_datetime(date) if date else None
    except ValueError:
        return None
