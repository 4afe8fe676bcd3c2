"""Items of files."""

from collections import Counter
from pathlib import Path

from services.common.content_features import Content
from services.dataset.item_columns import ItemOptions
from services.dataset.items import read_items


def test_items_by_id_with_what_their_vectors_start_from(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(
        "movieId,title,genres,year,price\n"
        "1,Toy Story (1995),Animation|Comedy,1995,\n"
        "2,Heat,Crime,unknown,3.5\n"
        ",Nameless,Crime,,\n"
        "1,Toy Story,Animation,1995,2\n"
        "torn\n"
    )
    rejected: Counter[str] = Counter()
    items = read_items(path, rejected=rejected)
    assert items == {
        "1": Content("1", "Toy Story", "", ("Animation",), (), {"year": 1995.0, "price": 2.0}),
        "2": Content("2", "Heat", "", ("Crime",), (), {"price": 3.5}),
    }
    assert rejected == {"MISSING_ITEM": 1, "WRONG_NUMBER_OF_CELLS": 1}


def test_the_separator_is_the_callers_choice(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": 5, "genre": "Drama War", "keywords": ["a", "b"]}\n')
    items = read_items(path, ItemOptions(separator=" "))
    assert items == {"5": Content("5", "", "", ("Drama", "War"), ("a", "b"), {})}
