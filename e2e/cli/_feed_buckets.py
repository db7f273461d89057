"""``e2e feed check`` and ``e2e feed add``: the federation file itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_feed.check import BucketCheck

SAMPLE_JOBS = 3


@click.command("check")
@click.argument("buckets_yaml", type=click.Path(path_type=Path))
@click.option(
    "--sample",
    type=click.IntRange(0, 100),
    default=SAMPLE_JOBS,
    show_default=True,
    metavar="N",
    help="Of so many jobs of each bucket, verify the newest build.",
)
@click.option(
    "--timeout", type=click.IntRange(1), default=120, show_default=True, metavar="S", help="Seconds a bucket."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(buckets_yaml: Path, sample: int, timeout: int, form: str) -> int:
    """Check BUCKETS_YAML and every bucket it names: can it be read and listed, is its layout sound.

    Exits with 2 when the file is wrong, with 4 when a bucket cannot be read or a sample of it breaks a reader.
    """
    import time

    from dashboard_feed.buckets import read_buckets
    from dashboard_feed.check import check_buckets
    from e2e.cli._looking import brief_patience
    from upload.errors import Outcome

    checks = check_buckets(
        read_buckets(buckets_yaml), now_s=int(time.time()), sample=sample, bucket_s=timeout, patience=brief_patience()
    )
    click.echo(_as_json(checks) if form == "json" else _as_text(checks))
    return Outcome.RESULTS.value.exit_code if any(check.has_errors for check in checks) else 0


@click.command("add")
@click.argument("buckets_yaml", type=click.Path(path_type=Path))
@click.argument("uri")
@click.option("--prefix", required=True, metavar="NAME:", help="What stands before the names of its jobs; ends in ':'.")
@click.option("--contact", default="", metavar="NAME", help="Whom to ask, a GitHub name.")
@click.option("--sequential", is_flag=True, help="Its build ids count 1, 2, 3.")
@click.option(
    "--exclude-job", "exclude_jobs", multiple=True, metavar="RE", help="Jobs that are not read; may be repeated."
)
def add(buckets_yaml: Path, uri: str, **keys: Any) -> None:
    """Add the bucket at URI to BUCKETS_YAML, which keeps its comments and its order.

    URI is the folder whose children are jobs: gs://BUCKET/FOLDER/ or file:///FOLDER/.

    \b
    e2e feed add buckets.yaml gs://my-e2e/logs/ --prefix my: --contact my-github-name
    """  # noqa: D301  # click wants the character, not its name
    from dashboard_feed.buckets import BucketSpec
    from dashboard_feed.edit_buckets import add_bucket

    keys["prefix"] = f"{keys['prefix'].removesuffix(':')}:"
    spec = BucketSpec(f"{uri.removesuffix('/')}/", **keys)
    add_bucket(buckets_yaml, spec)
    click.echo(f"{buckets_yaml}: {spec.uri} added as '{spec.prefix}'")


def _as_json(checks: Sequence[BucketCheck]) -> str:
    buckets = [
        {
            "bucket": check.spec.uri,
            "prefix": check.spec.prefix,
            "jobs": check.jobs,
            "builds": check.builds,
            "findings": [asdict(finding) for finding in check.findings],
        }
        for check in checks
    ]
    return json.dumps({"buckets": buckets}, indent=2)


def _as_text(checks: Sequence[BucketCheck]) -> str:
    from dashboard_feed.show import count
    from e2e.cli._findings import told

    lines: list[str] = []
    for check in checks:
        errors = sum(finding.severity.value == "error" for finding in check.findings)
        counts = (count(check.jobs, "job"), f"{count(len(check.builds), 'build')} looked at")
        wrong = (count(errors, "error"), count(len(check.findings) - errors, "warning"))
        lines.append(f"{check.spec.prefix} {check.spec.uri}: {', '.join(counts)}: {', '.join(wrong)}")
        lines += (f"  {line}" for finding in check.findings for line in told(finding))
    bad = sum(check.has_errors for check in checks)
    lines.append(f"{count(len(checks), 'bucket')}, {bad} with errors")
    return "\n".join(lines)
