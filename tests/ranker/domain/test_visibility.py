"""What hides or shows items acts at once, whatever the parameters lane is doing (truth 9)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from harken.internal.feed.v1 import frame_pb2
from tests.ranker.entries import Told, stretch
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.replicas import new_lanes

NOW = 100.0
IDS = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Said:
    """What one entry of the log says of an item."""

    item_id: str
    listed: bool
    available: bool
    expires: int

    @property
    def servable(self) -> bool:
        return self.listed and self.available and not 0 < self.expires <= NOW


SAID = st.builds(
    Said, st.sampled_from(IDS), st.booleans(), st.booleans(), st.sampled_from([0, 50, 100, 150])
).map(lambda one: one if one.listed else Said(one.item_id, False, False, 0))


def told(one: Said) -> Told:
    return Told().item(one.item_id, one.listed, one.available, one.expires * 1_000_000)


def folded_to(log: list[Said], version: int, since: int = 0) -> frame_pb2.Frame:
    """Return the frame that brings a replica from one sequence to another, or a snapshot."""
    changes = Changes(activated=manifest() if since == 0 else None)
    for one in {said.item_id: said for said in log[since:version]}.values():
        if one.listed:
            changes.item(one.item_id, (), one.available, one.expires or None)
            changes.vector(one.item_id, [1, 0, 0, 0])
        else:
            changes.deleted.append(one.item_id)
    made = frame(version + 1, changes, sequence=version)
    made.after_version = since + 1 if since else 0
    return made


def expected(log: list[Said], folded: int, applied: int) -> set[str]:
    """Return what may be served: of items that frames list, what the newest entry says."""
    by_frames = {one.item_id: one for one in log[:folded]}
    newest = {one.item_id: one for one in log[: max(folded, applied)]}
    return {name for name, one in by_frames.items() if one.listed and newest[name].servable}


@given(st.lists(SAID, max_size=14), st.data())
def test_the_newer_lane_says_whether_an_item_is_there(log: list[Said], data: st.DataObject) -> None:
    """Lanes advance in any order, a snapshot comes at any time; the oracle reads the log."""
    frames, entries = new_lanes()
    asyncio.run(frames.apply([folded_to(log, 0)]))
    folded = applied = 0

    async def restart(version: int) -> None:
        async def chunks() -> AsyncIterator[frame_pb2.Frame]:
            yield folded_to(log, version)

        await frames.restart(chunks())

    while folded < len(log) or applied < len(log):
        step = data.draw(st.sampled_from(["entries", "frames", "snapshot"]))
        if step == "entries" and applied < len(log):
            asyncio.run(entries.apply([stretch(applied, told(log[applied]))]))
            applied += 1
        elif step == "frames" and folded < len(log):
            to = data.draw(st.integers(folded + 1, len(log)))
            if folded:
                asyncio.run(frames.apply([folded_to(log, to, folded)]))
            else:
                asyncio.run(restart(to))
            folded = to
        elif step == "snapshot":
            folded = data.draw(st.integers(folded, len(log)))
            asyncio.run(restart(folded))
        else:
            continue
        catalogue = frames.replicas["default"].catalogue
        servable = catalogue.servable(NOW)
        found = {catalogue.item_id(place) for place in range(catalogue.size) if servable[place]}
        # An item that frames hide and do not list yet is shown when they bring it, not before.
        wanted = expected(log, folded, applied)
        late = {
            one.item_id
            for one in log[folded:applied]
            if not any(before.listed for before in log[:folded] if before.item_id == one.item_id)
        }
        assert wanted - late <= found <= wanted
        listed = catalogue.listed()
        names = {catalogue.item_id(place) for place in range(catalogue.size) if listed[place]}
        newest = {one.item_id: one for one in log[: max(folded, applied)]}
        by_frames = {one.item_id: one for one in log[:folded]}
        assert names == {n for n, one in by_frames.items() if one.listed and newest[n].listed}
        assert catalogue.unservable_count(NOW) == len(names) - len(found)
        # What the digest covers depends on frames alone (truth 6).
        assert (
            catalogue.catalogued().sum()
            == catalogue.catalogued_count
            == len({n for n, one in {s.item_id: s for s in log[:folded]}.items() if one.listed})
        )


def test_entries_that_frames_reflect_take_no_room() -> None:
    frames, entries = new_lanes()
    overlay = entries._overlays.of("default")
    log = [Said(f"i{n}", True, True, 0) for n in range(100)]
    asyncio.run(frames.apply([folded_to(log, 0)]))
    # An import of new items waits for frames, and so does what hides one of them.
    for place, one in enumerate(log):
        asyncio.run(entries.apply([stretch(place, told(one))]))
    assert not overlay.items
    asyncio.run(entries.apply([stretch(100, Told().item("i7", available=False))]))
    assert set(overlay.items) == {"i7"}
    made = folded_to(log, 100, 1)
    made.after_version = 1
    asyncio.run(frames.apply([made]))
    catalogue = frames.replicas["default"].catalogue
    assert catalogue.servable(NOW).sum() == 98
    asyncio.run(frames.apply([frame(102, Changes().item("i7", available=False), sequence=101)]))
    assert not overlay.items
    assert catalogue.servable(NOW).sum() == 98


def test_what_is_not_of_the_log_hides_nothing() -> None:
    """Truth 5."""
    frames, entries = new_lanes()
    asyncio.run(frames.apply([folded_to([Said("a", True, True, 0)], 1)]))
    catalogue = frames.replicas["default"].catalogue
    asyncio.run(entries.apply([stretch(1, Told().item("a", available=False))]))
    assert not catalogue.servable(NOW).any()
    asyncio.run(entries.abandon())
    assert catalogue.servable(NOW).all()
