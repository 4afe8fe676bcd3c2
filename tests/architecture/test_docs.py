"""The page on architecture names files that are there, and tests that cite the truths."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
TRUTHS = range(1, 16)
ROW = re.compile(r"^\| (\d+) \| .+ \| (.+) \|$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
# What can be meant by a path that does not begin at the root, in the part on a service.
FOLDERS = ("", "services/feedback/", "services/ranker/", "services/profile/")


def pages() -> list[Path]:
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    return [*found, ROOT / "services" / "feed" / "README.md"]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_truth_is_listed_with_tests_that_cite_it() -> None:
    rows = {int(number): shown for number, shown in ROW.findall(PAGE.read_text())}
    assert list(rows) == list(TRUTHS)
    for number, shown in rows.items():
        tests = LINK.findall(shown)
        assert tests
        for link in tests:
            text = (PAGE.parent / link).read_text()
            cited = {int(n) for found in re.findall(r"[Tt]ruths? ([\d, and]+)", text)
                     for n in re.findall(r"\d+", found)}  # fmt: skip
            assert number in cited, f"truth {number} is not cited in {link}"


def test_the_modules_named_are_there() -> None:
    """A path is one from the root, or within the service that the part is about."""
    named = set(re.findall(r"`([a-z_/]+\.py)`", PAGE.read_text()))
    assert named
    for path in named:
        assert any((ROOT / folder / path).exists() for folder in FOLDERS), path
