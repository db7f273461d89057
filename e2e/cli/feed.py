"""``e2e feed``: read the buckets of a federation and build dashboards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from e2e.cli._feed_alerts import alerts
from e2e.cli._feed_buckets import add, check
from e2e.cli._feed_regressions import regressions
from e2e.cli._feed_serve import serve
from e2e.cli._feed_warehouse import collect, load, sql

if TYPE_CHECKING:
    from upload.model import Finding

SHOWN_FINDINGS = 10


@click.group("feed")
def command() -> None:
    """Read buckets and build dashboards."""


command.add_command(add)
command.add_command(alerts)
command.add_command(check)
command.add_command(regressions)
command.add_command(collect)
command.add_command(serve)
command.add_command(sql)
command.add_command(load)


@command.command("build")
@click.argument("buckets_yaml", type=click.Path(path_type=Path))
@click.option("--out", required=True, metavar="DIR|URI", help="Folder of the site, or gs://BUCKET/FOLDER.")
@click.option("--warehouse", metavar="URI", help="Take the builds from what was collected here, and read no bucket.")
@click.option("--match", metavar="RE", help="Only jobs whose prefix:name holds this regular expression.")
def build(buckets_yaml: Path, out: str, warehouse: str | None, match: str | None) -> None:
    """Read every bucket of BUCKETS_YAML; write tests.json, the 24-hour pages and the site into a folder or a bucket.

    A bucket that is broken costs itself a finding and does not stop the others. Only what changed is written.
    """
    from dashboard_feed.buckets import read_buckets
    from dashboard_feed.show import count
    from dashboard_feed.site import build_site, send_site
    from upload.store import folder_of, open_store

    specs, now_s = read_buckets(buckets_yaml), int(time.time())
    kept = open_store(warehouse, anonymous_too=True) if warehouse else None
    folder = folder_of(out)
    if folder is not None:
        made = build_site(specs, folder, match=match, now_s=now_s, warehouse=kept)
    else:
        made = send_site(specs, open_store(out), match=match, now_s=now_s, warehouse=kept)
    tell_findings(made.findings, rest=", on the first page")
    counts = ", ".join((count(made.jobs, "job"), count(made.builds, "build"), count(made.pages, "page")))
    click.echo(f"{counts} ({count(made.written, 'file')} written)")
    click.echo(made.index)


def tell_findings(findings: Sequence[Finding], rest: str = "") -> None:
    """Print the first findings to standard error, and how many more there are; ``rest`` says where those stand."""
    for finding in findings[:SHOWN_FINDINGS]:
        click.echo(
            f"{finding.severity.value}: {_shown(finding.object)}: {_shown(finding.what)} [{finding.rule}]", err=True
        )
    if len(findings) > SHOWN_FINDINGS:
        click.echo(f"… and {len(findings) - SHOWN_FINDINGS} more findings{rest}", err=True)


def _shown(text: str) -> str:
    """Keep a bucket's terminal codes off the terminal."""
    from dashboard_feed.text import one_line

    return one_line(text, 300)
