"""FindSimilarUsers: whose vectors are nearest to a user's."""

import numpy as np

from harken.profile.v1 import profile_service_pb2 as pb
from services.common.consent import Purpose
from services.common.errors import MissingResourceError
from services.common.turns import Turns
from services.common.validation import Checks
from services.common.vault.vault import UserVault
from services.profile.domain.nearest import Nearest
from services.profile.store.profile_store import ProfileStore
from services.profile.store.vector_scan import VectorScan

_DEFAULT_COUNT = 10
_MAX_COUNT = 100
_MAX_WAITING = 4
_COME_AGAIN_SECONDS = 2.0


class SimilarUsers:
    """Compares all vectors, for one call at a time: others read meanwhile."""

    def __init__(
        self,
        profiles: ProfileStore,
        vectors: VectorScan,
        vault: UserVault,
        denied_by_default: Purpose,
    ) -> None:
        """`denied_by_default`: purposes that have to be granted."""
        self._vault = vault
        self._denied_by_default = denied_by_default
        self._profiles = profiles
        self._vectors = vectors
        self._turns = Turns("such calls", _MAX_WAITING, _COME_AGAIN_SECONDS)

    async def find(self, request: pb.FindSimilarUsersRequest) -> pb.FindSimilarUsersResponse:
        """Return the nearest; see profile_service.proto.

        Raises:
            InvalidRequestError, MissingResourceError: the request is wrong; the user is unknown.
            OverloadedError: too many wait already.
            StoreUnavailableError: the store is away.

        """
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.subject("subject", request.subject)
        count = checks.number("count", request.count, _DEFAULT_COUNT, _MAX_COUNT)
        checks.done()
        async with self._turns.turn():
            own_key = self._vault.pseudonyms.key_of(tenant, request.subject)
            return await self._found(tenant, own_key, count)

    async def _found(self, tenant: str, own_key: bytes, count: int) -> pb.FindSimilarUsersResponse:
        (own,) = (await self._profiles.read(tenant, [own_key])).profiles
        if not own.is_known:
            raise MissingResourceError("nothing is known about the subject")
        personal = own.consent.allows(Purpose.PERSONALISATION, self._denied_by_default)
        if own.vector is None or not personal:
            return pb.FindSimilarUsersResponse()
        answer = pb.FindSimilarUsersResponse(generation_id=own.vector.generation_id)
        vector = np.frombuffer(own.vector.vector, "<f4")
        nearest = Nearest(vector, count)
        if not nearest.has_direction:
            return answer
        own_key = own.user_key
        async for keys, rows in self._vectors.batches(tenant, answer.generation_id, vector.size):
            others = [place for place, key in enumerate(keys) if key != own_key]
            nearest.offer([keys[place] for place in others], rows[others])
        answer.compared = nearest.compared
        found = nearest.found()
        subjects = await self._vault.subjects(tenant, [near.key for near in found])
        for near in found:
            # Who was erased since is nobody any more.
            if (subject := subjects.get(near.key)) is not None:
                answer.users.add(subject=subject, similarity=near.similarity)
        return answer
