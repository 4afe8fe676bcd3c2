"""ProfileService on the wire."""

from collections.abc import AsyncIterator, Mapping, Sequence

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from harken.common.v1 import subject_pb2
from harken.internal.facts.v1 import user_fact_service_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2_grpc
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.answer_size import CLIENT_BYTES, check_answer_size
from services.common.attribute_faults import attributes_fault
from services.common.deadline import seconds_to_wait
from services.common.errors import MissingResourceError
from services.common.position import Position
from services.common.request_limits import MAX_PATHS
from services.common.validation import DEFAULT_TENANT, Checks
from services.common.vault.admission import Admission
from services.common.vault.vault import UserVault
from services.profile.attribute_list import list_profiles
from services.profile.attribute_schemas import AttributeSchemas
from services.profile.attributes import updated
from services.profile.consent_update import check_consent, updated_consent
from services.profile.convert import profile_of, set_attributes
from services.profile.dimensions import Dimensions
from services.profile.domain.attribute_rules import (
    mask_fault,
    named_attributes,
    named_purposes,
    replaces_all,
)
from services.profile.erasure.user_erasure import UserErasure
from services.profile.freshness import Freshness
from services.profile.merges import Merges
from services.profile.outbox_relay import OutboxRelay
from services.profile.read_mask import masked_parts, usual_parts
from services.profile.similar_users import SimilarUsers
from services.profile.store.attribute_store import AttributeStore, Facts
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
        schemas: AttributeSchemas,
        similar: SimilarUsers,
        erasure: UserErasure,
        export: UserExport,
        dimensions: Dimensions,
        freshness: Freshness,
        vault: UserVault,
        outbox: OutboxRelay,
        merges: Merges,
    ) -> None:
        self._profiles = profiles
        self._attributes = attributes
        self._schemas = schemas
        self._similar = similar
        self._erasure = erasure
        self._export = export
        self._dimensions = dimensions
        self._freshness = freshness
        self._vault = vault
        self._outbox = outbox
        self._merges = merges

    async def GetProfile(  # noqa: N802
        self, request: pb.GetProfileRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetProfileResponse:
        """Return the profile of one user."""
        checks = Checks()
        checks.subject("subject", request.subject)
        parts = usual_parts(request)
        if request.HasField("read_mask"):
            parts = masked_parts(checks, request.read_mask.paths)
        wanted, snapshot = await self._read(checks, request, [request.subject], context)
        stale = self._freshness.is_stale(wanted, snapshot.applied, request.strict)
        (stored,) = snapshot.profiles
        if not stored.is_known:
            raise MissingResourceError("nothing is known about the subject")
        names = await self._names(request.tenant, snapshot)
        profile = profile_of(request.subject, stored, parts, names)
        await self._dimensions.fill(profile, request.tenant, stored, parts, context)
        return pb.GetProfileResponse(
            profile=profile,
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
        parts = usual_parts(request)
        wanted, snapshot = await self._read(checks, request, request.subjects, context)
        response = pb.BatchGetProfilesResponse(
            position=snapshot.position(),
            learned_position=snapshot.learned_position(),
            stale=self._freshness.is_stale(wanted, snapshot.applied, request.strict),
        )
        names = await self._names(request.tenant, snapshot)
        for subject, stored in zip(request.subjects, snapshot.profiles, strict=True):
            result = response.results.add()
            if stored.is_known:
                result.profile.CopyFrom(profile_of(subject, stored, parts, names))
        check_answer_size("subjects", response.ByteSize(), limit)
        return response

    async def UpdateProfile(  # noqa: N802
        self, request: pb.UpdateProfileRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateProfileResponse:
        """Set attributes and consent."""
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
        check_consent(checks, given.consent, paths)
        checks.done()
        names = None if replaces_all(paths) else set(named_attributes(paths))
        await self._schemas.check(checks, tenant, given.attributes, names)
        checks.done()
        users = Admission(self._vault, tenant)
        user_key = users.key_of(given.subject)
        await users.done()
        now = Timestamp()
        now.GetCurrentTime()

        def change(current: Facts) -> Facts:
            return Facts(
                updated(current.attributes, given.attributes, paths),
                updated_consent(current.consent, given.consent, paths, now),
            )

        stored = await self._attributes.update(tenant, user_key, given.etag, change)
        self._outbox.wake()
        profile = profile_pb2.Profile(subject=given.subject)
        set_attributes(profile, stored)
        position = b""
        if named_purposes(paths):
            fact = user_fact_service_pb2.UserFact(
                user_key=user_key,
                revision=stored.revision,
                attributes=stored.attributes,
                consent=stored.consent,
            )
            position = await self._outbox.position_of(tenant, facts=[fact])
        return pb.UpdateProfileResponse(profile=profile, position=position)

    async def ListProfiles(  # noqa: N802
        self, request: pb.ListProfilesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListProfilesResponse:
        """Return users whose attributes were ever set, page by page."""
        return await list_profiles(self._attributes, self._vault, request)

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

    async def MergeProfiles(  # noqa: N802
        self, request: pb.MergeProfilesRequest, context: grpc.aio.ServicerContext
    ) -> pb.MergeProfilesResponse:
        """Say that sessions or users are a user."""
        return await self._merges.merge(request)

    async def UnmergeProfiles(  # noqa: N802
        self, request: pb.UnmergeProfilesRequest, context: grpc.aio.ServicerContext
    ) -> pb.UnmergeProfilesResponse:
        """Take merges back."""
        return await self._merges.unmerge(request)

    async def ListMerges(  # noqa: N802
        self, request: pb.ListMergesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListMergesResponse:
        """Return merges and what took them back, page by page."""
        return await self._merges.list_merges(request)

    async def PutAttributeSchema(  # noqa: N802
        self, request: pb.PutAttributeSchemaRequest, context: grpc.aio.ServicerContext
    ) -> pb.PutAttributeSchemaResponse:
        """Set what attributes may be."""
        return await self._schemas.put(request)

    async def GetAttributeSchema(  # noqa: N802
        self, request: pb.GetAttributeSchemaRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetAttributeSchemaResponse:
        """Return what attributes may be."""
        return await self._schemas.get(request)

    async def _names(self, tenant: str, snapshot: Snapshot) -> Mapping[bytes, subject_pb2.Subject]:
        """Return who users are that others are merged into, and these."""
        keys = {
            key for one in snapshot.profiles if one.merged for key in (one.user_key, *one.merged)
        }
        return await self._vault.subjects(tenant or DEFAULT_TENANT, keys) if keys else {}

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
        key_of = self._vault.pseudonyms.key_of
        keys = [key_of(tenant, subject) for subject in subjects]
        return wanted, await self._profiles.read(tenant, keys)
