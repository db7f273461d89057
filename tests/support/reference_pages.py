"""The parts of ``docs/reference/`` that are made from the code: commands, exit codes, config keys, rules, variables.

A page that is written by hand and made in parts holds ``<!-- made: NAME -->`` … ``<!-- end -->``.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dashboard_feed.warehouse.query import VIEWS
from dashboard_feed.warehouse.tables import TABLES
from e2e.cli import cli
from providers.config import PRESETS, JobConfig
from providers.config.schema import job_schema
from providers.machines import azure_resources
from providers.machines.azure_resources import group_filter
from providers.machines.gce_resources import KINDS
from providers.machines.marks import EXPIRES, OWNER, RUN
from providers.registry import provider_names, provider_type
from tests.support.contract import CONTRACT
from upload.errors import Outcome
from upload.rules.table import RULES

ROOT = Path(__file__).parents[2]
PACKAGES = ("e2e", "providers", "upload", "jobs", "dashboard_feed")
MADE = re.compile(r"(<!-- made: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
ENVIRONMENTS = {"env", "environ", "environment", "variables"}
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{3,}")
# key -> what it is when it stands nowhere, where the schema cannot say it
WORKED_OUT = {"dashboard.tab": "the job's name", "kubernetes": "required; `pinned` with provider `existing`"}


def with_made_parts(page: str, parts: Mapping[str, str]) -> str:
    """Return the page with each part made anew. A part without a place on the page is an error."""
    missing = set(parts) - {name for _, name, _ in MADE.findall(page)}
    assert not missing, f"no <!-- made: … --> on the page for {sorted(missing)}"
    return MADE.sub(lambda found: f"{found[1]}\n{parts[found[2]]}\n{found[3]}", page)


def exit_code_page() -> str:
    """Return ``exit-codes.md``."""
    rows = [
        (
            str(ending.exit_code),
            ending.result or "-",
            str(ending.passed).lower() if ending.result else "-",
            ending.meaning,
        )
        for ending in (outcome.value for outcome in Outcome)
    ]
    return "\n".join(
        [
            "# Exit codes and results",
            "",
            "The first failure of a run sets its outcome; later ones are notes.",
            "`result` and `passed` are those of `finished.json`.",
            "The reasons stand in [ADR 1](../adr/0001-exit-codes-and-results.md).",
            "",
            table(("exit code", "`result`", "`passed`", "when"), rows),
            "",
            "`e2e check` exits with 2 when a config is wrong, `e2e verify` with 4 when a reader breaks.",
            "`e2e feed check` and `e2e feed collect` exit with 4 when something in a bucket breaks a reader or cannot be read.",
            "`e2e publish` exits with 0 once everything is stored, whatever the verdict of the tests is.",
            "`e2e results` and `e2e wait` exit with the verdict of the run.",
            "",
        ]
    )


def commands_page() -> str:
    """Return ``commands.md``: what ``--help`` prints, for every command, at 100 columns."""
    parts = ["# Commands", "", "What `e2e --help` and `e2e VERB --help` print.", ""]
    for ctx in contexts(cli, "e2e", None):
        parts += [f"## {ctx.command_path}", "", "```text", ctx.get_help().strip(), "```", ""]
    return "\n".join(parts)


def contexts(command: click.Command, name: str, parent: click.Context | None) -> Iterator[click.Context]:
    """Yield the context of a command and of all below it, as they are when help is asked for."""
    width = {"terminal_width": 100, "max_content_width": 100}
    ctx = click.Context(command, info_name=name, parent=parent, **{**command.context_settings, **width})
    yield ctx
    if isinstance(command, click.Group):
        for word in command.list_commands(ctx):
            child = command.get_command(ctx, word)
            assert child is not None
            yield from contexts(child, word, ctx)


def config_parts() -> dict[str, str]:
    """Return the tables of ``config.md``: every key of the schema, each provider's keys, the presets."""
    schema, strict = job_schema(), JobConfig.model_json_schema(by_alias=True)
    provider = schema["$defs"]["ProviderChoice"]
    rows = key_rows(schema, schema, required=set(required_keys(strict, strict)))
    parts = {"config-keys": table(KEY_COLUMNS, rows)}
    for choice in provider["oneOf"]:
        name = choice["properties"]["name"]["const"]
        own = provider_type(name).Settings.model_json_schema(by_alias=True)
        required = {"provider.name", *required_keys(own, own, "provider.")}
        rows = key_rows(choice, schema, "provider.", required=required)
        parts[f"provider-{name}"] = table(KEY_COLUMNS, rows)
    presets = [(f"`{name}`", f"`{expression}`") for name, expression in PRESETS.items()]
    parts["presets"] = table(("preset", "marker expression"), presets)
    return parts


KEY_COLUMNS = ("key", "type", "default", "meaning")


def key_rows(
    section: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = "", *, required: set[str]
) -> list[tuple[str, ...]]:
    """Return a row for each key of a section and of the sections in it."""
    rows: list[tuple[str, ...]] = []
    for name, node in section["properties"].items():
        key, inner = f"{prefix}{name}", resolved(node, schema)
        if inner.get("properties"):
            rows += key_rows(inner, schema, f"{key}.", required=required)
            continue
        rows.append(row(key, node, inner, required=key in required))
        values = node.get("additionalProperties")
        if values and "properties" in (each := resolved(values, schema)):
            rows += key_rows(each, schema, f"{key}.<name>.", required=required)
    return rows


def required_keys(section: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the keys that must stand in a config or in ``party.yaml``."""
    for name, node in section["properties"].items():
        inner = resolved(node, schema)
        if name in section.get("required", ()) and f"{prefix}{name}" not in WORKED_OUT:
            yield f"{prefix}{name}"
        if inner.get("properties"):
            yield from required_keys(inner, schema, f"{prefix}{name}.")


def row(key: str, node: Mapping[str, Any], inner: Mapping[str, Any], *, required: bool) -> tuple[str, ...]:
    """Return one row; ``node`` is the key as it stands, ``inner`` what it refers to."""
    meaning = node.get("description") or inner.get("description") or ""
    default = node.get("default")
    shown = "required" if required else ""
    if key in WORKED_OUT:
        shown = WORKED_OUT[key]
    elif default not in (None, ""):
        shown = f"`{default if isinstance(default, str) else json.dumps(default)}`"
    return (f"`{key}`", type_of(inner), shown, meaning.replace("<", "&lt;"))


def resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the node that a ``$ref`` means, or the node itself; of an optional one what it is when given."""
    if "$ref" in node:
        return dict(schema["$defs"][node["$ref"].removeprefix("#/$defs/")])
    if "anyOf" in node:
        return resolved(next(each for each in node["anyOf"] if each.get("type") != "null"), schema)
    return dict(node)


def type_of(node: Mapping[str, Any]) -> str:
    """Return the type of a key in words."""
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if "oneOf" in node:
        return "section, see below"
    kind = node.get("type", "value")
    if kind == "array":
        return f"list of {type_of(node['items'])}"
    if kind == "object":
        names = node.get("propertyNames", {})
        return f"mapping of {type_of(names)}" if "enum" in names else "mapping"
    if kind == "integer":
        bounds = [f"{node['minimum']} to {node['maximum']}"] if "minimum" in node and "maximum" in node else []
        return " ".join(["number", *bounds])
    if "pattern" in node:
        return "duration"
    return {"string": "text", "boolean": "`true` or `false`"}.get(kind, str(kind))


def rule_parts() -> dict[str, str]:
    """Return the table of ``bucket-layout.md``."""
    rows = [
        (f"`{name}`", rule.severity.value, ", ".join(rule.readers), rule.consequence) for name, rule in RULES.items()
    ]
    return {"rules": table(("rule", "severity", "whom it breaks", "what they do"), rows)}


def cloud_parts() -> dict[str, str]:
    """Return the table of ``cloud-resources.md``: of all types that are made in a cloud."""
    rows = [
        (
            f"`{kind.many}`",
            f"{kind.mark_text()}",
            f"`{kind.filter_of(None)}`",
            f"{kind.stage + 1}",
            "`tests/integration/providers/test_gce.py`: `test_a_whole_life`, `test_without_the_folder_the_marks_are_enough`",
        )
        for kind in sorted(KINDS, key=lambda each: each.stage)
    ]
    lives = "`tests/integration/providers/test_azure.py`: `test_a_whole_life`, `test_without_the_folder_the_marks_are_enough`"
    tags = f"tags {RUN}, {OWNER}, {EXPIRES}, and the name"
    inside = "in the run's group"
    azure = [("`resource_groups`", tags, f"`{group_filter(None)}`, and by name", "by one call", lives)]
    azure += [(f"`{kind.operations}`", tags, inside, "with the group", lives) for kind in azure_resources.KINDS]
    azure += [("`disks`", "the name", inside, "with the machine or the group", lives)]
    return {
        "gce": table(("type", "marked by", "listed with the filter", "deleted in stage", "proved by"), rows),
        "azure": table(("type", "marked by", "found", "deleted", "proved by"), azure),
    }


def rule_test_parts(files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the tables of ``rules-and-tests.md``. ``files``: rule → the files with tests that are marked with it."""
    asked = [(statement, ", ".join(f"`{rule}`" for rule in rules)) for statement, rules in CONTRACT]
    proved = [
        (f"`{name}`", ", ".join(rule.readers), ", ".join(_shown_tests(path) for path in files[name]))
        for name, rule in RULES.items()
    ]
    return {
        "contract": table(("what the readers ask for", "rules"), asked),
        "tests": table(("rule", "whom it breaks", "tests"), proved),
    }


def _shown_tests(path: str) -> str:
    name = f"[{path.removeprefix('tests/')}](../../{path})"
    return f"**{name}**" if path.startswith("tests/integration/readers/") else name


def warehouse_parts() -> dict[str, str]:
    """Return the tables of ``warehouse.md``: the columns of each table, and the views."""
    parts = {
        f"table-{name}": table(
            ("column", "type", "meaning"), [(f"`{c}`", f"`{kind}`", what) for c, kind, what in columns]
        )
        for name, columns in TABLES.items()
    }
    views = [(f"`{name}`", what) for name, (_, what) in VIEWS.items()]
    return parts | {"views": table(("view", "what it gives"), views)}


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def variables_read() -> set[str]:
    """Return every environment variable that the product reads or drops, by the names in its source.

    Providers ask for theirs by name (``ReadsEnvironment``).
    """
    found = {name for made in map(provider_type, provider_names()) for name in getattr(made, "variables", ())}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if path.is_relative_to(ROOT / "e2e" / "suite"):
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {name for node in ast.walk(tree) for name in _asked_for(node)}
            if path == ROOT / "e2e" / "settings.py":
                found |= {name for node in ast.walk(tree) for name in _constant(node)}
    return found


def _asked_for(node: ast.AST) -> Iterator[str]:
    """Yield NAME of ``env.get("NAME")`` and ``env["NAME"]``, written or read."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        if _is_environment(node.func.value):
            yield from _constant(node.args[0])
    elif isinstance(node, ast.Subscript) and _is_environment(node.value):
        yield from _constant(node.slice) if isinstance(node.ctx, ast.Load) else ()


def _is_environment(node: ast.AST) -> bool:
    return (isinstance(node, ast.Name) and node.id in ENVIRONMENTS) or (
        isinstance(node, ast.Attribute) and node.attr in ENVIRONMENTS
    )


def _constant(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
        yield node.value
