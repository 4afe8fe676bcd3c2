"""Replays against services by script: the order of calls is honest, the figures are right."""

import json
import math
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from tests.cli.harken_process import harken
from tests.cli.scripted_suite import ScriptedSuite

ORDER = [f"i{n}" for n in range(30)]


@pytest.fixture
def suite() -> ScriptedSuite:
    suite = ScriptedSuite()
    suite.order = ORDER
    return suite


def history(folder: Path) -> list[tuple[str, str, int]]:
    """Write a history, not in order of time, with ties, repeats and users new after the split."""
    rows = [(f"u{n % 4}", f"i{(7 * n) % 30}", 100 + n // 3) for n in range(60)]
    rows += [("new", f"i{(11 * n) % 30}", 125 + n // 2) for n in range(40)]
    lines = [f"{user},{item},{second}" for user, item, second in [*rows[50:], *rows[:50]]]
    (folder / "events.csv").write_text("user,item,timestamp\n" + "\n".join(lines) + "\n")
    return sorted([*rows[50:], *rows[:50]], key=lambda row: row[2])


async def test_figures_agree_with_an_oracle_over_the_raw_rows(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    """The script ranks everybody's unseen items in one order, so both arms have known ranks.

    `frozen_state` removes what was seen, so that it ranks as `full` does: the arms must be equal,
    and equal to figures made from the rows with lists.
    """
    rows = history(tmp_path)
    done = await harken(
        "replay", "events.csv", "--type", "view", "--start", "0.5", "--json", "out.json",
        folder=tmp_path, endpoints=endpoints,
    )  # fmt: skip
    assert done.code == 0, done.errors
    found = json.loads((tmp_path / "out.json").read_text())

    split = next(n for n in range(50, 100) if rows[n][2] != rows[n - 1][2])
    seen: dict[str, list[str]] = {}
    ranks: list[int] = []
    for n, (user, item, second) in enumerate(rows):
        revealed = [i for u, i, s in rows[:n] if u == user and s < second]
        earlier = {i for u, i, _ in rows[:n] if u == user}
        if n >= split and item not in earlier:
            left = [i for i in ORDER if i not in revealed]
            ranks.append(left.index(item) + 1)
        seen.setdefault(user, []).append(item)
    count = len(ranks)
    hits = [rank for rank in ranks if rank <= 10]
    whole = found["parts"]["all"]
    for arm in ("full", "frozen_state"):
        assert whole[arm]["events"] == count
        assert whole[arm]["hit_rate"] == pytest.approx(len(hits) / count)
        assert whole[arm]["ndcg"] == pytest.approx(sum(1 / math.log2(r + 1) for r in hits) / count)
        assert whole[arm]["mrr"] == pytest.approx(sum(1 / r for r in hits) / count)
    assert whole["ndcg_ratio"] == pytest.approx(1.0)
    assert found["events"] == 100 - split
    assert found["repeats"] == 100 - split - count
    assert len(suite.events) == 100
    assert found["stale_slates"] == 0


async def test_each_group_is_asked_for_before_any_of_it_is_recorded(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    rows = history(tmp_path)
    done = await harken(
        "replay", "events.csv", "--type", "view", "--start", "0.5",
        folder=tmp_path, endpoints=endpoints,
    )  # fmt: skip
    assert done.code == 0, done.errors
    split = next(n for n in range(50, 100) if rows[n][2] != rows[n - 1][2])
    groups: dict[tuple[int, str], int] = {}
    for user, _, second in rows[split:]:
        groups[(second, user)] = groups.get((second, user), 0) + 1
    first_recorded = next(n for n, (what, _) in enumerate(suite.calls) if what == "record")
    # Without the slates of frozen_state, and the extra ones that measure freshness.
    calls = suite.calls[first_recorded - 1 :]
    expected: list[tuple[str, str]] = []
    for number, ((_, user), size) in enumerate(groups.items(), 1):
        expected += [("recommend", user), *[("record", user)] * size]
        if number % 20 == 0:
            expected.append(("recommend", user))
    assert calls == expected


async def test_a_suite_that_knows_the_future_is_refused(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    history(tmp_path)
    arguments = ("replay", "events.csv", "--type", "view", "--limit", "5")
    first = await harken(*arguments, folder=tmp_path, endpoints=endpoints)
    assert first.code == 0, first.errors
    second = await harken(*arguments, folder=tmp_path, endpoints=endpoints)
    assert second.code == 1
    assert "knows the history after the split already" in second.errors
