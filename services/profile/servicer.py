"""ProfileService on the wire."""

from collections.abc import AsyncIterator, Callable, Sequence

import grpc

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2_grpc
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.answer_size import CLIENT_BYTES, check_answer_size
from services.common.attribute_faults import attributes_fault
from services.common.deadline import seconds_to_wait
from services.common.errors import MissingResourceError
from services.common.position import Position
from services.common.request_limits import MAX_PATHS
from services.common.user_key import user_key_of
from services.common.validation import Checks
from services.profile.attribute_list import list_profiles
from services.profile.attributes import updated
from services.profile.convert import Seen, profile_of, set_attributes
from services.profile.domain.attribute_rules import mask_fault
from services.profile.erasure.user_erasure import UserErasure
from services.profile.freshness import Freshness
from services.profile.similar_users import SimilarUsers
from services.profile.store.attribute_store import AttributeStore
from services.profile.store.profile_store import ProfileStore, Snapshot
from services.profile.user_export import UserExport

MAX_SUBJECTS = 500
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""What a caller that takes more than others may ask for."""

_Read = pb.GetProfileRequest | pb.BatchGetProfilesRequest


class ProfileServicer(profile_service_pb2_grpc.ProfileServiceServicer):
    """Answers from the database, as of a point of the log that each answer states."""

    def __init__(
        self,
        profiles: ProfileStore,
        attributes: AttributeStore,
        similar: SimilarUsers,
        erasure: UserErasure,
        export: UserExport,
        freshness: Freshness,
        on_fact: Callable[[], None],
    ) -> None:
        """`on_fact` is called after each change of attributes."""
        self._profiles = profiles
        self._attributes = attributes
        self._similar = similar
        self._erasure = erasure
        self._export = export
        self._freshness = freshness
        self._on_fact = on_fact

    async def GetProfile(  # noqa: N802
        self, request: pb.GetProfileRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetProfileResponse:
        """Return the profile of one user."""
        checks = Checks()
        checks.subject("subject", request.subject)
        wanted, snapshot = await self._read(checks, request, [request.subject], context)
        stale = self._freshness.is_stale(wanted, snapshot.applied, request.strict)
        (stored,) = snapshot.profiles
        if not stored.is_known:
            raise MissingResourceError("nothing is known about the subject")
        return pb.GetProfileResponse(
            profile=profile_of(request.subject, stored, _seen_wanted(request)),
            position=snapshot.position(),
            learned_position=snapshot.learned_position(),
            stale=stale,
        )

    async def BatchGetProfiles(  # noqa: N802
        self, request: pb.BatchGetProfilesRequest, context: grpc.aio.ServicerContext
    ) -> pb.BatchGetProfilesResponse:
        """Return the profiles of several users, all as of one position."""
        checks = Checks()
        if checks.size("subjects", len(request.subjects), 1, MAX_SUBJECTS):
            for index, subject in enumerate(request.subjects):
                checks.subject(f"subjects[{index}]", subject)
        limit = checks.number(
            "max_answer_bytes", request.max_answer_bytes, CLIENT_BYTES, MAX_ANSWER_BYTES
        )
        wanted, snapshot = await self._read(checks, request, request.subjects, context)
        response = pb.BatchGetProfilesResponse(
            position=snapshot.position(),
            learned_position=snapshot.learned_position(),
            stale=self._freshness.is_stale(wanted, snapshot.applied, request.strict),
        )
        for subject, stored in zip(request.subjects, snapshot.profiles, strict=True):
            result = response.results.add()
            if stored.is_known:
                result.profile.CopyFrom(profile_of(subject, stored, _seen_wanted(request)))
        check_answer_size("subjects", response.ByteSize(), limit)
        return response

    async def UpdateProfile(  # noqa: N802
        self, request: pb.UpdateProfileRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateProfileResponse:
        """Set attributes."""
        given = request.profile
        paths = request.update_mask.paths
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.subject("profile.subject", given.subject)
        if checks.size("update_mask.paths", len(paths), 0, MAX_PATHS):
            for index, path in enumerate(paths):
                if fault := mask_fault(path):
                    checks.fail(f"update_mask.paths[{index}]", fault)
        # What is wrong already is not worth a walk through all attributes.
        checks.done()
        if fault := attributes_fault(given.attributes):
            checks.fail("profile.attributes", fault)
        checks.done()
        stored = await self._attributes.update(
            tenant,
            user_key_of(given.subject),
            given.etag,
            lambda current: updated(current, given.attributes, paths),
        )
        self._on_fact()
        profile = profile_pb2.Profile(subject=given.subject)
        set_attributes(profile, stored)
        return pb.UpdateProfileResponse(profile=profile)

    async def ListProfiles(  # noqa: N802
        self, request: pb.ListProfilesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListProfilesResponse:
        """Return users whose attributes were ever set, page by page."""
        return await list_profiles(self._attributes, request)

    async def FindSimilarUsers(  # noqa: N802
        self, request: pb.FindSimilarUsersRequest, context: grpc.aio.ServicerContext
    ) -> pb.FindSimilarUsersResponse:
        """Return the users nearest to one."""
        return await self._similar.find(request)

    async def EraseUser(  # noqa: N802
        self, request: pb.EraseUserRequest, context: grpc.aio.ServicerContext
    ) -> pb.EraseUserResponse:
        """Erase a user."""
        return await self._erasure.erase(request)

    async def GetErasure(  # noqa: N802
        self, request: pb.GetErasureRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetErasureResponse:
        """Say how far an erasure is."""
        return await self._erasure.get(request)

    async def ListErasures(  # noqa: N802
        self, request: pb.ListErasuresRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListErasuresResponse:
        """Return erasures, page by page."""
        return await self._erasure.list(request)

    async def ExportUser(  # noqa: N802
        self, request: pb.ExportUserRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.ExportUserResponse]:
        """Stream all that is stored of a user."""
        async for part in self._export.parts(request, context):
            yield pb.ExportUserResponse(part=part)

    async def _read(
        self,
        checks: Checks,
        request: _Read,
        subjects: Sequence[subject_pb2.Subject],
        context: grpc.aio.ServicerContext,
    ) -> tuple[Position | None, Snapshot]:
        """Check what both reads have in common, wait for min_position, and read."""
        tenant = checks.tenant(request.tenant)
        wanted = checks.position("min_position", request.min_position)
        given = request.wait_budget if request.HasField("wait_budget") else None
        budget = checks.wait("wait_budget", given)
        checks.done()
        left = seconds_to_wait(context)
        seconds = budget if left is None else min(budget, left)
        await self._freshness.wait(wanted, seconds, request.strict)
        keys = [user_key_of(subject) for subject in subjects]
        return wanted, await self._profiles.read(tenant, keys)


def _seen_wanted(request: _Read) -> Seen:
    if not request.include_seen:
        return Seen.NOTHING
    return Seen.BY_TYPE if request.seen_by_type else Seen.IDS
