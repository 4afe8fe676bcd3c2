"""Who may import whom."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("profile", "ranker", "feedback")
TOOLS = ("cli", "simulator", "evaluation", "dataset", "trainer", "system")
# They run the very code of the services: the pure part of it, never their edges.
MAY_USE_DOMAINS = ("evaluation", "trainer", "system")
FRAMES = ("services.feedback.learner.frame_conversion", "services.ranker.frame_columns")
"""So that what a ranker folds in evaluation is what the learner sends, by the same code."""
PURE = {"domain", "model"}
"""Folders of a service that hold its pure part."""
# I/O, clocks, concurrency, and what is said to the outside. Mathematics and models of data are at
# home in a domain: numpy, faiss, onnx, onnxruntime, pydantic.
FOREIGN_TO_DOMAIN = (
    "asyncio",
    "asyncpg",
    "datetime",
    "google",
    "grpc",
    "grpc_status",
    "harken",
    "os",
    "pathlib",
    "prometheus_client",
    "socket",
    "structlog",
    "threading",
    "time",
)
ASKS_THE_CLOCK = {"now", "utcnow", "today", "time", "monotonic", "perf_counter", "time_ns"}


def files(folder: str) -> list[Path]:
    return sorted((ROOT / "services" / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def starts_with(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_only_common_the_feed_and_itself(service: str) -> None:
    for path in files(service):
        for name in imports(path):
            if starts_with(name, "services"):
                allowed = ("services.common", "services.feed", f"services.{service}")
                assert any(starts_with(name, package) for package in allowed), (
                    f"{path} imports {name}"
                )
            assert not starts_with(name, "tests"), f"{path} imports {name}"


def test_the_feed_imports_only_common_and_itself() -> None:
    for path in files("feed"):
        for name in imports(path):
            allowed = ("services.common", "services.feed")
            assert not starts_with(name, "services") or any(
                starts_with(name, package) for package in allowed
            ), f"{path} imports {name}"


def test_common_imports_no_service() -> None:
    for path in files("common"):
        for name in imports(path):
            assert not starts_with(name, "services") or starts_with(name, "services.common"), path


def test_nothing_imports_the_tools_but_tools_and_tests() -> None:
    for folder in (*SERVICES, "common", "feed"):
        for path in files(folder):
            for name in imports(path):
                assert not any(starts_with(name, f"services.{tool}") for tool in TOOLS), path


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("system", ("trainer", "evaluation", "cli")), ("trainer", ("evaluation",))],
)
def test_tools_build_on_each_other_one_way(lower: str, higher: tuple[str, ...]) -> None:
    for path in files(lower):
        for name in imports(path):
            assert not any(starts_with(name, f"services.{one}") for one in higher), path


def test_nothing_of_ours_is_imported_by_its_name_in_a_string() -> None:
    """Neither mypy nor these tests would see it."""
    for path in files("."):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                assert isinstance(node.args[0], ast.Constant | ast.Name), path
                assert "services" not in ast.unparse(node.args[0]), path


def test_tools_use_public_rpcs_and_of_services_at_most_domains() -> None:
    for tool in TOOLS:
        for path in files(tool):
            for name in imports(path):
                for service in SERVICES:
                    inside = starts_with(name, f"services.{service}")
                    pure = tool in MAY_USE_DOMAINS and not PURE.isdisjoint(name.split("."))
                    allowed = pure or (tool == "system" and name in FRAMES)
                    assert not inside or allowed, f"{path} imports {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_domain_is_pure(service: str) -> None:
    paths = [path for path in files(service) if not PURE.isdisjoint(path.parts)]
    assert any(path.name != "__init__.py" for path in paths), f"{service} has no domain"
    for path in paths:
        for name in imports(path):
            assert not any(starts_with(name, foreign) for foreign in FOREIGN_TO_DOMAIN), (
                f"{path} imports {name}"
            )
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                module = node.func.value
                clock = isinstance(module, ast.Name) and module.id in ("time", "datetime")
                assert not (clock and node.func.attr in ASKS_THE_CLOCK), path


def test_every_package_has_its_path_as_name() -> None:
    for folder in (*SERVICES, *TOOLS, "common", "feed"):
        for path in files(folder):
            assert (path.parent / "__init__.py").exists(), f"{path.parent} is no package"


def test_serving_needs_no_pytorch() -> None:
    for folder in (*SERVICES, "common", "feed"):
        for path in files(folder):
            assert not any(starts_with(name, "torch") for name in imports(path)), path


def test_chance_is_drawn_from_an_instance() -> None:
    """The module's own generator is state that all of a process share: no global state."""
    for path in files("."):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "random":
                assert {alias.name for alias in node.names} <= {"Random", "SystemRandom"}, path
            assert not (isinstance(node, ast.Import) and node.names[0].name == "random"), path
