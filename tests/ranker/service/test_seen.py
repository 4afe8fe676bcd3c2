"""Which items a slate leaves out as seen: by surface, type of event and time, over real gRPC."""

import json
import time
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from harken.profile.v1 import profile_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.position import Position
from services.ranker.config import RankerConfig
from tests.ranker.entries import Told
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.ranker_process import Ranker, user
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.ranker.service.conftest import StartRanker

KEY = b"u:7"
DAY = 86_400
RULES = {
    "home": {"purchase": "30d", "rating": "never"},
    "player": {"*": "forever"},
    "*": {"purchase": "2d"},
}


def shop(*item_ids: str) -> Changes:
    changes = Changes(activated=manifest())
    for place, item_id in enumerate(item_ids):
        changes.item(item_id)
        changes.vector(item_id, [float(place == axis) for axis in range(4)])
        changes.popularity(item_id, float(place), 1.0)
    return changes


async def slate(ranker: Ranker, **fields: Any) -> set[str]:
    answer = await ranker.recommend("7", wait_budget=Duration(seconds=5), **fields)
    assert not answer.stale
    assert not answer.degradations
    return {slot.item_id for slot in answer.slots}


def position(version: int) -> bytes:
    return Position(0, 1, version).encode()


async def test_shopping_hides_what_was_bought_and_not_what_was_looked_at(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Truth 9, for events that frames bring to a user who is held."""
    upstream.feedback.add(frame(1, shop(*"abcdef")))
    ranker = await start_ranker(preset="shopping")
    assert await slate(ranker) == set("abcdef")
    now = time.time()
    told = Told()
    told.event(KEY, "a", time=now).event(KEY, "b", time=now, event_type="add_to_cart")
    told.event(KEY, "c", time=now, event_type="purchase")
    told.event(KEY, "d", time=now - 31 * DAY, event_type="purchase")
    told.event(KEY, "e", -1.0, now - 900 * DAY, "hide")
    bought = upstream.feedback.tell(told)
    assert await slate(ranker, min_position=position(bought)) == set("abdf")
    # What was bought counts from the last time, and a later look does not bring it back.
    told = Told().event(KEY, "d", time=now - 29 * DAY, event_type="purchase")
    told.event(KEY, "c", time=now + 1).event(KEY, "e", time=now)
    then = upstream.feedback.tell(told)
    assert await slate(ranker, min_position=position(then)) == set("abf")
    assert await slate(ranker, filter=slate_pb2.Filter(allow_seen=True)) == set("abcdef")
    # Whatever the configuration: what evaluations ask for.
    strict = slate_pb2.Filter(seen_by_any_event=True)
    assert await slate(ranker, filter=strict) == {"f"}
    answer = await ranker.recommend("7", filter=strict)
    assert answer.drops.seen == 5


async def test_profile_and_frames_say_the_same(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """One replica held the user, one asks profile; each surface has its rule on both."""
    upstream.feedback.add(frame(1, shop(*"abcde")))
    held = await start_ranker(preset="media", surface_seen=json.dumps(RULES))
    assert await slate(held, surface="player") == set("abcde")
    bought = 1_700_000_000
    events = [
        ("a", "view", 1.0, bought), ("b", "purchase", 1.0, bought),
        ("c", "rating", -1.0, bought), ("d", "hide", -1.0, bought),
    ]  # fmt: skip
    told = Told()
    for item_id, kind, weight, seconds in events:
        told.event(KEY, item_id, weight, seconds, kind)
    last = upstream.feedback.tell(told)
    # A replica begins with the newest entry: frames bring what came before.
    upstream.feedback.add(frame(2, sequence=last))
    profile = profile_pb2.Profile(subject=user("7"))
    for number, (item_id, kind, weight, seconds) in enumerate(reversed(events)):
        profile.seen.item_ids.append(item_id)
        profile.seen.kinds.add(type=kind, negative=weight < 0)
        profile.seen.pair_items.append(number)
        profile.seen.pair_kinds.append(number)
        profile.seen.pair_times_us.append(seconds * 1_000_000)
    upstream.profile.profiles[KEY] = profile
    fresh = await start_ranker(preset="media", surface_seen=json.dumps(RULES))
    for ranker in (held, fresh):
        at = {"min_position": position(last)}
        assert await slate(ranker, surface="player", **at) == {"e"}
        # At the moment itself the item is back: as_of says when the slate is shown.
        for surface, days in (("home", 30), ("elsewhere", 2), ("", 2)):
            end = bought + days * DAY
            before = Timestamp(seconds=end - 1, nanos=999_999_000)
            back = {"e", "a", "c"} if surface == "home" else {"e", "a"}
            assert await slate(ranker, surface=surface, as_of=before, **at) == back
            after = Timestamp(seconds=end)
            assert await slate(ranker, surface=surface, as_of=after, **at) == back | {"b"}
    request = upstream.profile.requests[-1]
    assert request.include_seen
    assert request.seen_by_type


async def test_what_an_earlier_profile_answers_hides_for_ever(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """A mixed state of releases: ids without types."""
    upstream.feedback.add(frame(1, shop(*"abc")))
    upstream.profile.profiles[KEY] = profile_pb2.Profile(
        subject=user("7"), seen_item_ids=["b", "a"]
    )
    ranker = await start_ranker(preset="shopping")
    assert await slate(ranker) == {"c"}


def _beyond(profile: profile_pb2.Profile) -> None:
    profile.seen.pair_items[0] = 7


def _too_short(profile: profile_pb2.Profile) -> None:
    del profile.seen.pair_times_us[0]


@pytest.mark.parametrize("damage", [_beyond, _too_short])
async def test_a_malformed_answer_is_not_used(
    upstream: ScriptedUpstream, start_ranker: StartRanker, damage: Any
) -> None:
    """Truth 14."""
    upstream.feedback.add(frame(1, shop(*"abc")))
    profile = profile_pb2.Profile(subject=user("7"))
    profile.seen.item_ids.append("a")
    profile.seen.kinds.add(type="purchase")
    profile.seen.pair_items.append(0)
    profile.seen.pair_kinds.append(0)
    profile.seen.pair_times_us.append(0)
    damage(profile)
    upstream.profile.profiles[KEY] = profile
    ranker = await start_ranker()
    answer: pb.RecommendResponse = await ranker.recommend("7")
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]


@pytest.mark.parametrize(
    ("settings", "key", "said"),
    [
        (
            {"surface_seen": {"home": {"purchase": "soon"}}},
            "surface_seen",
            "surface 'home': 'purchase' is neither",
        ),
        ({"surface_seen": {"Home!": {}}}, "surface_seen", "surface 'Home!' must be"),
        ({"preset": "groceries"}, "preset", "no preset 'groceries'"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as fault:
        RankerConfig(**settings)
    assert f"\n{key}\n" in str(fault.value)
