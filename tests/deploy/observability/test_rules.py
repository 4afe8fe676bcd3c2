"""Rules, dashboard and runbook fit together, and what they say can be asked."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from tests.deploy.observability.promql import (
    FOLDER,
    PROMTOOL,
    ROOT,
    RULES,
    RUNBOOK,
    metrics_of,
    needs_promtool,
    rules,
    runbook_blocks,
    without_comment,
)


def _promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _dashboard() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboard", FOLDER / "dashboard.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _panels() -> list[dict]:
    panels: list[dict] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return panels


def dashboard_expressions() -> list[str]:
    return [target["expr"] for panel in _panels() for target in panel.get("targets", ())]


@needs_promtool
def test_promtool_takes_the_rules() -> None:
    _promtool("check", "rules", *RULES)


@needs_promtool
def test_each_alert_fires_when_it_should_and_never_when_all_is_well() -> None:
    _promtool("test", "rules", FOLDER / "rules_test.yaml")


def test_each_alert_has_a_unit_test() -> None:
    text = (FOLDER / "rules_test.yaml").read_text()
    missing = [
        rule.name for rule in rules() if rule.kind == "alert" and f'"{rule.name}"' not in text
    ]
    assert not missing


def test_alerts_and_runbook_pages_are_one_to_one() -> None:
    alerts = {rule.name: rule for rule in rules() if rule.kind == "alert"}
    assert len(alerts) > 20
    for name, rule in alerts.items():
        assert rule.runbook == f"deploy/runbook/{name}.md"
        page = (ROOT / rule.runbook).read_text()
        assert page.startswith(f"# {name}\n")
        assert all(heading in page for heading in ("## Impact\n", "## Look\n", "## Do\n"))
        assert "```" in page, f"{name} names no command"
    pages = {path.stem for path in RUNBOOK.glob("Harken*.md")}
    assert pages == set(alerts)


def test_recorded_series_exist_and_are_used() -> None:
    recorded = {rule.name for rule in rules() if rule.kind == "record"}
    used = {
        name
        for expression in (*(rule.expression for rule in rules()), *dashboard_expressions())
        for name in metrics_of(expression)
        if name.startswith("harken:")
    }
    assert used <= recorded


def test_the_dashboard_is_what_its_code_makes() -> None:
    assert (FOLDER / "dashboard.json").read_text() == _dashboard().text()


def test_the_dashboard_is_laid_out_soundly() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in _panels():
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} covers {taken[x, y]}"
                taken[x, y] = panel["title"]
        if panel["type"] != "row":
            assert panel["targets"], panel["title"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert len({panel["id"] for panel in _panels()}) == len(_panels())
    assert [panel["title"] for panel in _panels() if panel["type"] == "row"] == [
        "The loop: from an event to the slates that know it",
        "RPCs: rate, errors, duration",
        "What is learned, and how well",
        "Capacity",
    ]


@needs_promtool
def test_all_expressions_of_dashboard_and_runbook_parse(tmp_path: Path) -> None:
    """promtool checks no bare expressions, but rules made of them."""
    expressions = [
        *(one.replace("$__rate_interval", "5m") for one in dashboard_expressions()),
        *(without_comment(line) for _, line in runbook_blocks("promql")),
    ]
    assert len(expressions) > 80
    lines = ["groups:", "  - name: all", "    rules:"]
    for number, expression in enumerate(expressions):
        lines += [f"      - record: expression_{number}", f"        expr: {json.dumps(expression)}"]
    path = tmp_path / "expressions.yaml"
    path.write_text("\n".join(lines) + "\n")
    _promtool("check", "rules", path)


@needs_promtool
def test_the_scrape_configuration_is_sound(tmp_path: Path) -> None:
    """Debian builds promtool without Kubernetes discovery: that part gives way to another."""
    text = (FOLDER / "prometheus.yaml").read_text()
    checked, replaced = re.subn(
        r"    kubernetes_sd_configs:\n(      .*\n)+",
        "    static_configs: [{targets: [a:1]}]\n",
        text,
    )
    assert replaced == 1
    path = tmp_path / "prometheus.yaml"
    path.write_text(checked)
    (tmp_path / "rules").symlink_to(FOLDER / "rules")
    _promtool("check", "config", path)
