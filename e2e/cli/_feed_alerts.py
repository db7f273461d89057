"""``e2e feed alerts``: what fails or went silent in a federation, and telling somebody of what changed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from e2e.cli._options import Duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_feed.alerts import Alert
    from dashboard_feed.sendings import Told


@click.command("alerts")
@click.argument("buckets_yaml", type=click.Path(path_type=Path))
@click.option("--match", metavar="RE", help="Only jobs whose prefix:name holds this regular expression.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--failures", type=click.IntRange(1), default=1, show_default=True, help="How many open an alert.")
@click.option("--passes", type=click.IntRange(1), default=1, show_default=True, help="How many close it.")
@click.option("--stale-after", type=Duration(), default="48h", show_default=True, help="No build for so long: stale.")
@click.option("--send-to", metavar="COMMAND", help="Give what changed to a command, as JSON on its standard input.")
@click.option("--webhook", metavar="URL", help="Post what changed, as JSON. Secret addresses: E2E_WEBHOOK_URL.")
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="File that remembers what was sent.")
def alerts(buckets_yaml: Path, match: str | None, *, form: str, stale_after: int, **asked: Any) -> None:
    """Print the open alerts of the jobs in BUCKETS_YAML: tests that fail, by TestGrid's rule, and stale jobs.

    With --send-to or --webhook, what opened and closed since the last sending is sent; --state remembers that. A
    sending that fails is made again by the next call. E2E_WEBHOOK_TOKEN goes with a webhook as a bearer token.
    """
    import time

    from dashboard_feed.alerts import watch
    from dashboard_feed.buckets import read_buckets
    from dashboard_feed.collect import read_bucket
    from dashboard_feed.pages import findings_of
    from dashboard_feed.site import job_pattern
    from dashboard_feed.testgrid.alerts import AlertRule
    from e2e.alert_sending import asked_sending
    from e2e.cli.feed import tell_findings
    from e2e.settings import current_settings

    rule = AlertRule(asked.pop("failures"), asked.pop("passes"))
    sending = asked_sending(**asked, variables=current_settings().variables)
    specs, pattern, now_s = read_buckets(buckets_yaml), job_pattern(match), int(time.time())
    begun: AbstractContextManager[dict[str, Told]] = sending.begun() if sending else nullcontext({})
    with begun as sent:
        read = [read_bucket(spec, match=pattern, now_s=now_s) for spec in specs]
        watched = watch(read, rule, stale_after_s=stale_after, now_s=now_s)
        _print(watched.alerts, form)
        tell_findings([finding for bucket in read for finding in findings_of(bucket)])
        if sending:
            change = sending.send(sent, watched)
            click.echo(f"sent: {len(change.opened)} opened, {len(change.closed)} over", err=True)


def _print(alerts: Sequence[Alert], form: str) -> None:
    import json

    from dashboard_feed.alerts import as_json
    from dashboard_feed.sendings import listing
    from dashboard_feed.show import count

    if form == "json":
        click.echo(json.dumps({"alerts": [as_json(alert) for alert in alerts]}, indent=2))
        return
    for line in listing(alerts):
        click.echo(line)
    click.echo(count(len(alerts), "open alert"))
