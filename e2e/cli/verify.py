"""``e2e verify``: check a store, a prefix, a job or a build against every reader's rules."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from e2e.cli._findings import told

if TYPE_CHECKING:
    from upload.verify import Report

READERS = ("all", "testgrid", "gubernator", "kettle", "test-history", "triage")


@click.command(name="verify", short_help="Check a store, job or build against every reader's rules.")
@click.argument("uri")
@click.option(
    "--reader", type=click.Choice(READERS), default="all", show_default=True, help="Only what breaks this one."
)
@click.option("--format", "form", type=click.Choice(["text", "json", "junit"]), default="text", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
def command(uri: str, reader: str, form: str, verbose: bool) -> int:
    """List everything at URI that some reader of results trips over.

    URI is a store, a prefix in it, a job or a build. Of a gs:// one it is also checked whether everybody may list and
    read it. Exits with 4 when a reader breaks or shows something false.

    \b
    e2e verify gs://my-bucket/logs/ci-kubernetes-e2e-mine
    """  # noqa: D301  # click wants the character, not its name
    import time

    from e2e.cli._looking import brief_patience
    from upload.errors import Outcome
    from upload.store import open_store
    from upload.verify import verify

    patience = brief_patience()
    store = open_store(uri, anonymous_too=True, patience=patience)
    public = open_store(uri, anonymous=True, patience=patience) if store.uri.startswith("gs://") else None
    report = verify(store, now_s=int(time.time()), public=public).for_reader(reader)
    shown = {"json": lambda: _as_json(store.uri, report), "junit": lambda: _as_junit(report, reader)}
    click.echo(shown.get(form, lambda: _as_text(report))())
    return Outcome.RESULTS.value.exit_code if report.has_errors else 0


def _as_json(uri: str, report: Report) -> str:
    from upload.verify import consequence

    findings = [asdict(f) | {"consequence": consequence(f)} for f in report.findings]
    return json.dumps({"uri": uri, "builds": report.builds, "objects": report.objects, "findings": findings}, indent=2)


def _as_text(report: Report) -> str:
    lines = [line for finding in report.findings for line in told(finding)]
    errors = sum(f.severity.value == "error" for f in report.findings)
    warnings = len(report.findings) - errors
    counted = (_counted(report.builds, "build"), _counted(report.objects, "object"))
    wrong = (_counted(errors, "error"), _counted(warnings, "warning"))
    return "\n".join([*lines, f"{', '.join(counted)}: {', '.join(wrong)}"])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _as_junit(report: Report, reader: str) -> str:
    """Return one case for each rule, failed by its errors; a warning fails none."""
    from upload.junit_render import render_one
    from upload.model import Case, Severity, Status
    from upload.rules.table import RULES

    errors: dict[str, list[str]] = {name: [] for name, rule in RULES.items() if reader in ("all", *rule.readers)}
    for finding in report.findings:
        if finding.severity is Severity.ERROR:
            errors.setdefault(finding.rule, []).append("\n".join(told(finding)))
    cases = [
        Case(name, Status.FAILED if texts else Status.PASSED, classname="verify", text="\n".join(texts))
        for name, texts in errors.items()
    ]
    return render_one(cases).decode().rstrip()
