"""``e2e feed regressions``: what broke, between which builds, on which platforms."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("regressions")
@click.argument("buckets_yaml", type=click.Path(path_type=Path))
@click.option("--match", metavar="RE", help="Only jobs whose prefix:name holds this regular expression.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def regressions(buckets_yaml: Path, match: str | None, form: str) -> None:
    """Print every test that fails now and passed before in the jobs of BUCKETS_YAML, what broke last first.

    For each job that ran it: first bad and last good build, version and commit, or that it is good there.
    """
    import json
    import time

    from dashboard_feed.buckets import read_buckets
    from dashboard_feed.collect import read_bucket
    from dashboard_feed.pages import findings_of
    from dashboard_feed.regressions import as_json, find_regressions, listing
    from dashboard_feed.show import count
    from dashboard_feed.site import job_pattern
    from e2e.cli.feed import tell_findings

    pattern, now_s = job_pattern(match), int(time.time())
    read = [read_bucket(spec, match=pattern, now_s=now_s) for spec in read_buckets(buckets_yaml)]
    found = find_regressions(read)
    if form == "json":
        click.echo(json.dumps({"regressions": [as_json(regression) for regression in found]}, indent=2))
    else:
        for line in listing(found):
            click.echo(line)
        click.echo(count(len(found), "test") + " broke")
    tell_findings([finding for bucket in read for finding in findings_of(bucket)])
