"""Page tokens of lists in order of a key: the key that the next page follows, opaque to clients."""

import base64

from services.common.validation import MAX_ID_BYTES, Checks, id_fault


def encode_page_token(last_key: str) -> str:
    """Return the token of the page that follows a key."""
    return base64.urlsafe_b64encode(last_key.encode()).decode()


def decode_page_token(checks: Checks, token: str, max_bytes: int = MAX_ID_BYTES) -> str:
    """Return the key, an id of up to `max_bytes`, that the page follows; empty for the first."""
    if not token:
        return ""
    try:
        last_key = base64.b64decode(token, b"-_", validate=True).decode()
    except ValueError:
        last_key = ""
    if id_fault(last_key, max_bytes):
        checks.fail("page_token", "is not a token of a previous page")
    return last_key
