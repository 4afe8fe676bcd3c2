"""Links and consent as the log tells them: what profile lost, or never had, it takes from there."""

from harken.common.v1 import consent_pb2
from harken.internal.feed.v1 import entries_pb2
from services.common.database import open_pool
from services.feed.entries import TenantEntries, UserFact, UserLink
from services.feed.entries_codec import encode
from services.profile.process import SCHEMA
from services.profile.store.link_store import LinkStore
from tests.profile.script import ACCEPTED_US, Happening, Script, key
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService


def link(
    script: Script, name: str, into: str, revision: int, *, merged: bool = True
) -> entries_pb2.Entries:
    """Return a stretch in which a user is merged into another one, or not any more."""
    script.sequence += 1
    told = UserLink(0, 1, 1, merged, revision, ACCEPTED_US, "log", script.sequence)
    own = TenantEntries("default", user_keys=[key(name), key(into)], links=[told])
    return encode(script.of_tenant(own))


def decided(script: Script, name: str, revision: int, *, granted: bool) -> entries_pb2.Entries:
    """Return a stretch in which a user decides about exploration."""
    consent = consent_pb2.Consent()
    consent.exploration.granted, consent.exploration.source = granted, name
    fact = UserFact(0, revision, b"", consent.SerializeToString())
    script.sequence += 1
    own = TenantEntries("default", user_keys=[key(name)], facts=[fact])
    return encode(script.of_tenant(own))


async def test_what_the_log_says_is_in_force_and_older_revisions_are_not(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    async def items(name: str) -> list[str]:
        answer = await service.get(name, script.position)
        return [event.item_id for event in answer.profile.state.recent]

    feedback.publish(script.events([Happening("ann", "a"), Happening("bob", "b", type="buy")]))
    feedback.publish(link(script, "bob", "ann", 10))
    assert await items("ann") == await items("bob") == ["b", "a"]
    profile = (await service.get("bob", script.position)).profile
    assert profile.subject.user_id == "ann"
    assert [one.user_id for one in profile.merged] == ["bob"]
    assert dict(profile.counters.events_by_type) == {"view": 1, "buy": 1}
    feedback.publish(decided(script, "ann", 3, granted=True))
    feedback.publish(decided(script, "bob", 4, granted=False))
    profile = (await service.get("ann", script.position)).profile
    assert (profile.consent.exploration.granted, profile.consent.exploration.source) == (
        False, "bob",
    )  # fmt: skip
    # One that comes late says nothing new.
    feedback.publish(link(script, "bob", "cid", 9))
    assert await items("ann") == ["b", "a"]
    feedback.publish(link(script, "bob", "ann", 11, merged=False))
    feedback.publish(script.events([Happening("bob", "c", time_us=2 * 10**15)]))
    assert await items("ann") == ["a"]
    assert await items("bob") == ["c", "b"]
    feedback.publish(link(script, "bob", "ann", 10))
    assert await items("ann") == ["a"]


async def test_all_keys_of_a_person_are_found_from_each_of_them(dsn: str) -> None:
    async with await open_pool(dsn, SCHEMA, 1) as pool:
        links = LinkStore(pool)
        await links.merge("default", key("bob"), [key("cid")], "test")
        await links.merge("default", key("ann"), [key("bob")], "test")
        people = {key(name) for name in ("ann", "bob", "cid")}
        for one in people:
            assert set(await links.same("default", one)) == people
        assert await links.same("default", key("dan")) == [key("dan")]
        await links.unmerge("default", [key("bob")], "test")
        assert set(await links.same("default", key("cid"))) == {key("bob"), key("cid")}
