"""The page deploy/configuration.md: this text, and a table a service from the service itself."""

from collections.abc import Mapping, Sequence

_INTRODUCTION = """\
# Configuration

Written by `harken config reference`; do not edit. `make check` fails when it differs.

A setting is an environment variable `HARKEN_<SERVICE>_<NAME>`. Values that are not text or a number
are JSON. Sources, the first that has a setting wins:

1. the command line (`--role` of feedback only),
2. the environment,
3. the file that `HARKEN_<SERVICE>_CONFIG_FILE` names, `.toml` or `.json`, with names in lower case
   and without the prefix,
4. the default.

```toml
# /etc/harken/ranker.toml
max_in_flight = 256
log_level = "warning"

[surface_weights.home]
purchase = 5
hide = -10

[surface_seen.home]
purchase = "30d"
```

## Wrong settings

A wrong value, a missing one, or a file that cannot be read ends a service at its start with exit
code 2 and one line per key on standard error. Values are never shown.

A key that names no setting is logged as a warning with the nearest one that exists, and the service
runs: during an upgrade old and new processes may share a ConfigMap. `harken config check` calls it
a fault, so run that before a rollout.

Kubernetes sets variables such as `HARKEN_RANKER_PORT` in every pod beside a Service named
`harken-ranker`. They are told from typing errors and ignored, with a warning; `enableServiceLinks:
false` in the pod avoids them.

`harken config check [feedback|profile|ranker]` reads the same environment and file as the services
would. It prints all values in force, passwords masked, and ends with 0; or it prints a line per
fault and ends with 2. `python -m services.<service> --check-config` does the same for one service.

## Changes without a restart

Settings with "yes" below follow their file; the environment of a running process cannot change. The
file is read again on SIGHUP, and within {watch_seconds} seconds after it was replaced, which is how
Kubernetes updates a mounted ConfigMap (about a minute after the ConfigMap; never if mounted by
`subPath`). So no signal has to be sent into a pod.

- All is checked before anything changes. A wrong file changes nothing: each fault is logged with
  its key, `harken_config_reloads_total` with `result="refused"` counts it (else `applied` or
  `unchanged`), and `harken_config_valid` is 0 until a correct file was read.
- Changed settings that do not reload are named in a warning; they take effect at the next start.
- A setting that the environment holds hides that of the file, also in a reload: a warning says so.
- A new limit holds from the next call on. Calls that were let in are finished.
- Weights of event types are stored with each event when it is accepted: a change teaches from then
  on, and never changes what the log means. Ingest processes may differ until all have the file.

To send the signal by hand, without a shell in the image:
`kubectl exec POD -- /opt/harken/bin/python -c "import os; os.kill(1, 1)"`.
"""

_PREFIXES = {
    "feedback": "Writes: log, catalogue, learner and feed.",
    "profile": "Reads of users.",
    "ranker": "Slates.",
}


def configuration_page(tables: Mapping[str, Sequence[str]], watch_seconds: float) -> str:
    """Return the page. `tables`: lines of Markdown by service."""
    parts = [_INTRODUCTION.format(watch_seconds=f"{watch_seconds:g}")]
    for service, lines in tables.items():
        rows = "\n".join(lines)
        parts.append(f"## {service}\n\n{_PREFIXES[service]}\n\n{rows}\n")
    return "\n".join(parts)
