"""What a generation was made from, how good it is, and what it must not be trusted with."""

import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, datetime

from services.trainer.parameters import Parameters
from services.trainer.training_data import TrainingData

_PROTOCOL = (
    "Metrics are of the validation window, the last part of the data: global order of time, all "
    "events of one user in one second ranked before any of them is revealed, among all items that "
    "the user has not had, nothing sampled, ties at their mean rank. Its first half chose "
    "constants and fitted the scorer, so its figures flatter a little. Lines that begin with "
    "'with' are of the second half, which nothing of what is judged had seen: NDCG@10 of slates of "
    "the ranker after a generation with these parts trained took over, against the system that "
    "went on by itself, with 99% intervals over users."
)
_WRITTEN = "What is published was trained on the whole range."
_NOT_WRITTEN = (
    "**No generation of this name was written**: none was better than what is learned online. The "
    "figures say by how much."
)
_LIMITS = (
    "Learned from what people did with what they were shown: it repeats the bias of that.",
    "Items without content start where their id hashes to, which says nothing.",
    "Item vectors of rare items are guesses; online learning corrects them.",
    "Figures on new items are from items held out at random, which are not quite like new ones.",
)


def model_card(
    generation_id: str,
    data: TrainingData,
    parameters: Parameters,
    metrics: Mapping[str, float],
    notes: Mapping[str, str],
    written: bool,
) -> str:
    """Return the card as Markdown. written: whether there is a generation that it is about."""
    events = data.events
    counts = {
        "events": len(events),
        "users": data.n_users,
        "items": data.n_items,
        "items with content": sum(content is not None for content in data.contents),
        "events in the validation window": len(events) - data.validation_start,
    }
    lines = [
        f"# Generation {generation_id}",
        "",
        *([] if written else [_NOT_WRITTEN, ""]),
        "## Data",
        "",
        f"From {_moment(int(events.times_us[0]))} to {_moment(int(events.times_us[-1]))}.",
        "",
        *_table(("what", "count"), {name: f"{count:,}" for name, count in counts.items()}),
        "",
        "## Metrics",
        "",
        f"{_PROTOCOL} {_WRITTEN}" if written else _PROTOCOL,
        "",
        *_table(("metric", "value"), {name: f"{value:.4g}" for name, value in metrics.items()}),
        "",
        *(f"- {name}: {text}" for name, text in notes.items()),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in _LIMITS),
        "",
        "## Parameters and seeds",
        "",
    ]
    for section, values in parameters.as_dict().items():
        shown = values if isinstance(values, dict) else {section: values}
        lines += [f"- {section}: " + ", ".join(f"{key} {value}" for key, value in shown.items())]
    versions = {"python": platform.python_version(), **_versions()}
    lines += ["", "## Versions", "", *_table(("package", "version"), versions), ""]
    return "\n".join(lines)


def _versions() -> dict[str, str]:
    found = {}
    for name in ("harken", "numpy", "torch", "onnx", "onnxruntime", "onnxscript"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> list[str]:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return lines + [f"| {name} | {value} |" for name, value in rows.items()]


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
