"""Logs hold what is on a list, and nothing that a user's id could hide in."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.common.logs import FIELDS

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
MARKER = "user-4711"


def log_calls() -> Iterator[tuple[Path, ast.Call]]:
    for folder in ("common", "feedback", "profile", "ranker"):
        for path in sorted((ROOT / "services" / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in LEVELS
                ):
                    logs = ast.unparse(node.func.value)
                    ours = logs in ("_log", "log") or logs.startswith("logger(")
                    # Futures have an exception, too.
                    assert ours or node.func.attr == "exception", (path, logs)
                    if ours:
                        yield path, node


def constant(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return constant(node.body) and constant(node.orelse)
    return isinstance(node, ast.Constant)


def test_every_field_that_services_log_is_on_the_list() -> None:
    calls = list(log_calls())
    assert len(calls) > 30
    used = {keyword.arg for _, call in calls for keyword in call.keywords}
    assert used - FIELDS == {"exc_info"}
    assert not {name for name in FIELDS if "user_" in name or name in ("user", "subject", "item")}


def test_messages_are_fixed_texts() -> None:
    for path, call in log_calls():
        assert len(call.args) == 1, f"{path}:{call.lineno}"
        assert constant(call.args[0]), f"{path}:{call.lineno}: values belong into fields"


def lines_of(script: str) -> list[dict[str, Any]]:
    """Run a script that logs; return its lines of standard error."""
    head = (
        "import asyncio, logging\n"
        "from services.common.logs import configure_logs, log_faults_of_tasks, logger\n"
        f"MARKER = {MARKER!r}\n"
        "configure_logs('info')\n"
        "log = logger('test')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_fields_off_the_list_are_dropped_and_noted() -> None:
    (line,) = lines_of("log.info('hello', user_id=MARKER, tenant='a', item=MARKER)")
    assert line.pop("timestamp")
    assert line == {
        "event": "hello", "level": "info", "component": "test", "tenant": "a",
        "dropped_fields": ["item", "user_id"],
    }  # fmt: skip


LEAKS = (
    "log.info('hello', error='first\\nDETAIL:  Key (user)=(' + MARKER + ')')",
    "log.info('hello', error={'user': MARKER}, detail=ValueError(MARKER))",
    "logging.getLogger('library').warning('took %(x)s', {'x': MARKER})",
    "logging.getLogger('library').warning('said %s', MARKER, extra={'user': MARKER})",
    "logging.getLogger('library').warning(ValueError('line\\n' + MARKER))",
)


def test_values_that_are_no_short_texts_or_numbers_are_left_out() -> None:
    lines = lines_of("\n".join(LEAKS))
    assert len(lines) == len(LEAKS)
    for line in lines:
        assert line["event"]
        assert MARKER not in json.dumps(line)


RAISE = """
def inner():
    user = MARKER
    raise KeyError(MARKER)

def outer():
    try:
        inner()
    except KeyError as error:
        fault = ValueError('no ' + MARKER)
        fault.add_note(MARKER)
        raise ExceptionGroup(MARKER, [fault]) from error

try:
    outer()
except ExceptionGroup as error:
    raised = error
"""


def test_exceptions_tell_their_types_and_places_only() -> None:
    lines = lines_of(
        RAISE
        + "log.error('failed', exc_info=raised)\n"
        + "logging.getLogger('library').error('failed', exc_info=raised)\n"
    )
    assert len(lines) == 2
    for line in lines:
        group, cause = line["exception"]
        assert (group["type"], cause["type"]) == ("ExceptionGroup", "KeyError")
        assert any(frame.endswith(" inner") for frame in cause["frames"])
        assert group["group"][0][0]["type"] == "ValueError"
        assert MARKER not in json.dumps(line)


def test_faults_that_nobody_waits_for_are_logged_alike() -> None:
    (line,) = lines_of(
        "async def fail():\n"
        "    raise ValueError(MARKER)\n"
        "async def main():\n"
        "    log_faults_of_tasks(asyncio.get_running_loop(), log)\n"
        "    task = asyncio.create_task(fail(), name=MARKER)\n"
        "    await asyncio.wait([task])\n"
        "asyncio.run(main())\n"
    )
    assert line["exception"][0]["type"] == "ValueError"
    assert MARKER not in json.dumps(line)


def test_the_level_can_change() -> None:
    lines = lines_of(
        "log.debug('a')\nlogging.getLogger('x').debug('a')\n"
        "configure_logs('DEBUG')\nlog.debug('b')\nlogging.getLogger('x').debug('b')\n"
        "configure_logs('error')\nlog.warning('c')\nlogging.getLogger('x').warning('c')\n"
    )
    assert [line["event"] for line in lines] == ["b", "b"]
