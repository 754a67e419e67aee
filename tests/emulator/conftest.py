import base64
import io
import warnings

import pytest
from PIL import Image

with warnings.catch_warnings():
    # The SDK is imported before any test: what it says of itself on import is none of our matter.
    warnings.simplefilter("ignore")
    import volcenginesdkarkruntime


@pytest.fixture
def ark():
    """Make official clients; they are closed after the test."""
    clients = []

    def make(base_url: str, *, api_key: str = "key", timeout: float = 30, max_retries: int = 0):
        client = volcenginesdkarkruntime.Ark(
            api_key=api_key, base_url=base_url, timeout=timeout, max_retries=max_retries
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def photo():
    """Make photos: `photo(800, 600)` gives (bytes, data URL)."""

    def make(width: int = 800, height: int = 600, *, kind: str = "JPEG", mime: str | None = None):
        stream = io.BytesIO()
        Image.new("RGB", (width, height), (width % 256, height % 256, 90)).save(stream, kind)
        content = stream.getvalue()
        mime = mime or f"image/{kind.lower()}"
        return content, f"data:{mime};base64,{base64.b64encode(content).decode()}"

    return make
