"""Text -> text without keys, tokens and inlined pictures."""

import re

_PATTERNS = (
    # Authorization: Bearer ..., in any quoting
    (re.compile(r"(?i)(bearer\s+)[^\s\"',;]+"), r"\1[redacted]"),
    # an inlined picture: keep what it was, drop its bytes
    (re.compile(r"(data:image/[a-z.+-]+;base64,)[A-Za-z0-9+/=]{16,}"), r"\1[...]"),
    # the signed part of a result address opens the picture for a day
    (
        re.compile(r"(?i)(https?://[^\s\"'?]+)\?[^\s\"']*(?:signature|x-tos-)[^\s\"']*"),
        r"\1?[signed]",
    ),
)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return `text` without the given secrets, bearer tokens, signatures and inlined pictures."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
