"""Slates for many subjects, as for mails at night, behind those that somebody waits for."""

from collections.abc import AsyncIterator, Sequence

from harken.common.v1 import subject_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.bulk_work import BulkWork
from services.common.errors import InvalidRequestError, StaleError
from services.common.user_key import Pseudonyms
from services.common.validation import Checks, subject_fault
from services.ranker.recommender import AskedSlate, Recommender
from services.ranker.request_context import Freshness, RequestContexts
from services.ranker.slate_conversion import nested
from services.ranker.slate_log import SlateLog

_AHEAD = 32
"""Users whose states are asked for before their turn comes: two calls of profile."""
_TOGETHER = 8
"""Results in a message, at most."""
_MESSAGE_BYTES = 2 * 1024 * 1024
"""Of a message of several results: gRPC's clients take 4 MiB by default."""
_PATIENCE_SECONDS = 1.0
"""For the state of a user: nobody is waiting, and a slate without it is no mail to send."""
_RESULTS = pb.BatchRecommendResponse.RESULTS_FIELD_NUMBER
_SLATE = pb.SubjectSlate.SLATE_FIELD_NUMBER
_NOT_OF_ALL = ("tenant", "subject", "page_token", "seed", "candidates")
"""Of a request for all subjects: what would be one's own, or what batches have no use for."""


def check_template(checks: Checks, request: pb.RecommendRequest) -> None:
    """Check what is asked for all subjects alike."""
    there = {field.name for field, _ in request.ListFields()}
    for name in _NOT_OF_ALL:
        if name in there:
            checks.fail(name, "must not be set for a batch")


class Batches:
    """Makes the slates of batches; all batches of a process take turns, slate by slate."""

    def __init__(
        self,
        contexts: RequestContexts,
        recommender: Recommender,
        slate_log: SlateLog,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._contexts = contexts
        self._recommender = recommender
        self._slate_log = slate_log
        self._pseudonyms = pseudonyms
        self._bulk = BulkWork()

    async def answers(
        self,
        tenant: str,
        subjects: Sequence[subject_pb2.Subject],
        request: pb.RecommendRequest,
        wish: AskedSlate,
        seconds: float | None,
    ) -> AsyncIterator[bytes]:
        """Yield BatchRecommendResponses on the wire, with a result for each subject in order.

        Raises:
            As RequestContexts.reach.

        """
        reached = await self._contexts.reach(tenant, wish.freshness, seconds)
        # Once is enough: what was not reached then is waited for no more.
        patience = _PATIENCE_SECONDS if reached else 0.0
        freshness = wish.freshness._replace(budget_seconds=patience)
        for start in range(0, len(subjects), _AHEAD):
            part = subjects[start : start + _AHEAD]
            strangers = self._asked_for(tenant, part, request)
            results: list[bytes] = []
            for at, subject in enumerate(part, start):
                made = await self._result(tenant, at, subject, request, wish, freshness)
                if results and sum(map(len, results)) + len(made) > _MESSAGE_BYTES:
                    yield b"".join(results)
                    results = []
                results.append(made)
                if len(results) == _TOGETHER or at == start + len(part) - 1:
                    yield b"".join(results)
                    results = []
            # Those who come by themselves stay at hand.
            for user_key in strangers:
                self._contexts.set_aside(tenant, user_key)

    def _asked_for(
        self, tenant: str, subjects: Sequence[subject_pb2.Subject], request: pb.RecommendRequest
    ) -> set[bytes]:
        """Ask for users whose slates are next, and return those who were not held."""
        if request.non_personal:
            return set()
        key_of = self._pseudonyms.key_of
        sound = [one for one in subjects if not subject_fault(one)]
        return self._contexts.prefetch(tenant, {key_of(tenant, one): one for one in sound})

    async def _result(
        self,
        tenant: str,
        ordinal: int,
        subject: subject_pb2.Subject,
        request: pb.RecommendRequest,
        wish: AskedSlate,
        freshness: Freshness,
    ) -> bytes:
        """Return the result of a subject, as one of `results`."""
        result = pb.SubjectSlate(ordinal=ordinal)
        try:
            slate = await self._slate(tenant, subject, request, wish, freshness)
        except (InvalidRequestError, StaleError) as error:
            result.fault.reason, result.fault.detail = error.reason, str(error)
            return nested(_RESULTS, result.SerializeToString())
        return nested(_RESULTS, result.SerializeToString() + nested(_SLATE, slate))

    async def _slate(
        self,
        tenant: str,
        subject: subject_pb2.Subject,
        request: pb.RecommendRequest,
        wish: AskedSlate,
        freshness: Freshness,
    ) -> bytes:
        checks = Checks()
        checks.subject("subject", subject)
        checks.done()
        user_key = self._pseudonyms.key_of(tenant, subject)
        if not request.preview:
            await self._slate_log.room()
        found = await self._recommender.found(tenant, subject, user_key, request, freshness, None)
        async with self._bulk:
            return self._recommender.made(found, tenant, subject, user_key, request, wish).answer
