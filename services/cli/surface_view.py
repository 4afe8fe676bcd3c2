"""Surfaces for people: tables, differences, and what is wrong with one."""

import difflib
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.feedback.v1 import surface_pb2, surface_service_pb2
from services.cli.item_view import plain_text
from services.cli.surface_text import config_text


def surface_table(surfaces: Iterable[surface_pb2.Surface]) -> Table:
    """Return surfaces as a table, one a row."""
    table = Table("surface", "revision", "changed", "configured", "note", box=SIMPLE_HEAD)
    for one in surfaces:
        table.add_row(
            one.name, f"{one.revision:,}", _when(one), summary(one.config), plain_text(one.note)
        )
    return table


def revision_table(revisions: Iterable[surface_pb2.Surface]) -> Table:
    """Return revisions of one surface as a table, one a row."""
    table = Table("revision", "put", "configured", "note", box=SIMPLE_HEAD)
    for one in revisions:
        what = summary(one.config) if one.HasField("config") else "deleted"
        table.add_row(f"{one.revision:,}", _when(one), what, plain_text(one.note))
    return table


def summary(config: surface_pb2.SurfaceConfig) -> str:
    """Return which parts are configured, in a few words."""
    parts = []
    for what, count in (
        ("gate", len(config.gates)), ("rule", len(config.rules)), ("source", len(config.sources)),
    ):  # fmt: skip
        if count:
            parts.append(f"{count} {what}{'s' if count > 1 else ''}")
    others = {field.name for field, _ in config.ListFields()} - {"gates", "rules", "sources"}
    parts += sorted(name.replace("_", " ") for name in others)
    return ", ".join(parts) or "nothing"


def difference(old: surface_pb2.Surface, new: surface_pb2.Surface, names: tuple[str, str]) -> str:
    """Return what of a configuration differs, as a unified diff; empty: nothing does."""
    before, after = (config_text(one.config).splitlines() for one in (old, new))
    lines = difflib.unified_diff(before, after, names[0], names[1], n=5, lineterm="")
    return "\n".join(lines)


def description_text(answer: surface_service_pb2.DescribeSurfaceResponse) -> str:
    """Return a description as Markdown."""
    as_of = f"revision {answer.revision}" if answer.revision else "nothing configured"
    lines = [f"# How slates of {answer.name} are made ({as_of})"]
    for section in answer.sections:
        lines += ["", f"## {section.heading}", ""]
        lines += [f"- {sentence}" for sentence in section.sentences]
    return "\n".join(lines)


def _when(surface: surface_pb2.Surface) -> str:
    return surface.update_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
