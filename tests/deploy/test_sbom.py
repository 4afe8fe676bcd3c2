"""What images say they hold, and under which licences."""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy/images/sbom.py"
SITE = Path(sysconfig.get_paths()["purelib"])


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("sbom", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Isolated: it reads the folder that it is given, not where it runs.
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(SITE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_bill_names_all_that_is_installed_and_who_needs_whom() -> None:
    first, second = run(), run()
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout, "the same wheels, the same bytes"
    bill = json.loads(first.stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    installed = {
        (one.metadata["Name"].lower().replace("_", "-"), one.version)
        for one in importlib.metadata.distributions(path=[str(SITE)])
    }
    named = {(one["name"], one["version"]) for one in bill["components"]}
    assert {(name.replace(".", "-"), version) for name, version in installed} == named
    references = {one["bom-ref"] for one in bill["components"]}
    assert all(one["purl"] == one["bom-ref"] for one in bill["components"])
    edges: Mapping[str, Any] = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert set(edges) == {*references, "harken-image"}
    assert all(set(needed) <= references for needed in edges.values())
    (harken,) = (ref for ref in references if ref.startswith("pkg:pypi/harken@"))
    wanted = {
        Requirement(line).name.lower()
        for line in importlib.metadata.requires("harken") or ()
        if "extra ==" not in line
    }
    assert {ref.split("/")[1].split("@")[0] for ref in edges[harken]} == wanted


def test_every_licence_is_listed_and_allowed(script: Any) -> None:
    page = ROOT / "docs/licences.md"
    done = run("--check", str(page))
    assert done.returncode == 0, done.stderr
    for wrong in ("| asyncpg | GPL-3.0-only |", ""):
        changed = page.read_text().replace("| asyncpg | Apache-2.0 |", wrong)
        held = script.distributions(SITE)
        (fault,) = script.faults({"asyncpg": held["asyncpg"]}, changed)
        assert "asyncpg" in fault


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True), ("MIT OR GPL-3.0-only", True), ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only", False), ("unknown", False), ("BSD-3-Clause AND Zlib", True),
    ],
)  # fmt: skip
def test_a_licence_that_may_be_chosen_is_enough(
    script: Any, expression: str, allowed: bool
) -> None:
    assert script.is_allowed(expression) == allowed


def test_the_bill_is_made_before_what_it_reads_is_removed() -> None:
    lines = (ROOT / "deploy/images/install.sh").read_text()
    assert lines.index("sbom.py") < lines.index("strip.sh")
    assert '> "$prefix/sbom.cdx.json"' in lines
