"""What a caller shows: a certificate that may be renewed, or a key or token. None: no TLS."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from services.common.access.certificates import Pem, channel_credentials
from services.common.reloadable import Reloadable


@dataclass(frozen=True, slots=True)
class ChannelIdentity:
    """Whom a caller trusts, and what they show."""

    pem: Reloadable[Pem]
    token: str = ""
    """An API key or a JSON Web Token."""

    def credentials(self) -> grpc.ChannelCredentials:
        """Return credentials of a channel, as of now."""
        credentials = channel_credentials(self.pem.value)
        if not self.token:
            return credentials
        return grpc.composite_channel_credentials(
            credentials, grpc.access_token_call_credentials(self.token)
        )


def blocking_channel(
    target: str, identity: ChannelIdentity | None, options: Sequence[tuple[str, int]] = ()
) -> grpc.Channel:
    """Return a channel that blocks its thread, for a while: it follows no renewal."""
    if identity is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, identity.credentials(), options=options)
