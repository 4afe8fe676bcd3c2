"""The catalogue against a dictionary of items."""

from hypothesis import given
from hypothesis import strategies as st

from services.feed.parameters import CatalogueChanges, ItemFacts
from services.ranker.domain.catalogue import Catalogue

IDS = st.sampled_from([f"i{n}" for n in range(12)])
ITEMS = st.builds(
    ItemFacts,
    IDS,
    st.lists(st.sampled_from("abc"), unique=True, max_size=3).map(tuple),
    st.booleans(),
    st.sampled_from([10_000_000, 20_000_000, 20_500_000, None]),
)
CHANGES = st.builds(
    CatalogueChanges,
    st.lists(ITEMS, max_size=4).map(tuple),
    st.lists(IDS, max_size=2).map(tuple),
)
STEPS = st.lists(st.tuples(CHANGES, st.sampled_from([0.0, 10.0, 15.0, 20.0, 30.0])), max_size=12)


@given(STEPS, st.lists(IDS, max_size=3))
def test_catalogue_is_a_fold_of_its_changes(
    steps: list[tuple[CatalogueChanges, float]], strangers: list[str]
) -> None:
    catalogue = Catalogue()
    truth: dict[str, ItemFacts] = {}
    ordinal_of: dict[str, int] = {}
    for changes, now in steps:
        # Ids that only events name get ordinals, but are in no slate.
        catalogue.ordinals(strangers)
        catalogue.fold(changes)
        for item in changes.upserted:
            truth[item.item_id] = item
        for item_id in changes.deleted:
            truth.pop(item_id, None)

        servable = catalogue.servable(now)
        names = [catalogue.item_id(ordinal) for ordinal in range(catalogue.size)]
        assert {name for name, there in zip(names, servable, strict=True) if there} == {
            item.item_id for item in truth.values() if item.available and item.expires_at > now
        }
        assert catalogue.unservable_count(now) == len(truth) - servable.sum()
        assert catalogue.catalogued_count == catalogue.listed().sum() == len(truth)
        for category in "abcd":
            members = [catalogue.item_id(ordinal) for ordinal in catalogue.members(category)]
            assert sorted(members) == sorted(
                item.item_id for item in truth.values() if category in item.categories
            )
        # An ordinal is given once, for good.
        for ordinal, name in enumerate(names):
            assert ordinal_of.setdefault(name, ordinal) == ordinal == catalogue.find(name)
        assert len(set(names)) == len(names)


def test_only_known_ids_are_found() -> None:
    catalogue = Catalogue()
    catalogue.ordinals(["a", "b", "a"])
    assert catalogue.find_all(["b", "nobody", "a"]).tolist() == [1, 0]
    assert catalogue.find("nobody") is None
    assert catalogue.size == 2
