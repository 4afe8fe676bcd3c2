"""Page tokens of ListItems: the id that the next page follows, opaque to clients."""

import base64

from services.common.validation import Checks, id_fault


def encode_page_token(last_id: str) -> str:
    """Return the token of the page that follows an id."""
    return base64.urlsafe_b64encode(last_id.encode()).decode()


def decode_page_token(checks: Checks, token: str) -> str:
    """Return the id that the page follows; empty for the first page."""
    if not token:
        return ""
    try:
        last_id = base64.b64decode(token, b"-_", validate=True).decode()
    except ValueError:
        last_id = ""
    if id_fault(last_id):
        checks.fail("page_token", "is not a token of a previous page")
    return last_id
