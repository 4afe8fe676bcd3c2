"""The expressions in deploy/observability, and the names that they use."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "observability"
RUNBOOK = ROOT / "deploy" / "runbook"
RULES = sorted((FOLDER / "rules").glob("*.yaml"))
PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian package prometheus)"
)


@dataclass(frozen=True)
class Rule:
    """A rule of a file, as far as tests need it."""

    kind: str
    name: str
    expression: str
    runbook: str


def rules() -> list[Rule]:
    """Return all rules. The files are laid out by one pattern, so no YAML library is needed."""
    found = []
    for path in RULES:
        for block in re.split(r"\n      - (?=alert:|record:)", path.read_text())[1:]:
            kind, name = re.match(r"(alert|record): (\S+)\n", block).groups()  # type: ignore[union-attr]
            body = re.search(r"expr: \|\n((?:          .*\n)+)", block + "\n")
            assert body is not None, f"{path.name}: {name} has no expression of several lines"
            runbook = re.search(r"runbook_url: (\S+)", block)
            found.append(Rule(kind, name, body[1], runbook[1] if runbook else ""))
    return found


def runbook_blocks(language: str) -> list[tuple[str, str]]:
    """Return the lines of all code blocks of a language in the runbook: page, line."""
    return [
        (page.name, line)
        for page in sorted(RUNBOOK.glob("*.md"))
        for block in re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
    ]


def without_comment(expression: str) -> str:
    return re.sub(r"\s+# .*", "", expression)


def metrics_of(expression: str) -> set[str]:
    """Return the names of metrics and of recorded series in an expression."""
    bare = re.sub(r'"[^"]*"', '""', without_comment(expression))
    return set(re.findall(r"\b(?:harken:[a-z0-9_:]+|harken_[a-z0-9_]+|process_[a-z_]+)", bare))
