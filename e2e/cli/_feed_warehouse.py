"""``e2e feed collect``, ``sql`` and ``load``: fill the warehouse, ask it, and hand it on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

if TYPE_CHECKING:
    from dashboard_feed.ingest.bucket import BucketReport
    from dashboard_feed.ingest.collect import CollectReport

SHOWN_NOTES = 10

warehouse_option = click.option(
    "--warehouse", required=True, metavar="URI", help="Where it lies: gs://BUCKET/FOLDER, file:///FOLDER or a folder."
)

since_option = click.option(
    "--since", metavar="DAY", default="", help="Only what began on this day (YYYY-MM-DD) or later."
)


@click.command("collect")
@click.argument("buckets_yaml", type=click.Path(path_type=Path))
@warehouse_option
@click.option("--match", metavar="RE", help="Only jobs whose prefix:name holds this regular expression.")
@click.option(
    "--history",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Builds of a job that is new.",
)
@click.option(
    "--keep", "keep_days", type=click.IntRange(0), default=400, show_default=True, metavar="DAYS", help="0 keeps all."
)
@click.option(
    "--threads", type=click.IntRange(1, 256), default=16, show_default=True, metavar="N", help="Read so much at once."
)
@click.option(
    "--timeout",
    "bucket_s",
    type=click.IntRange(1),
    default=900,
    show_default=True,
    metavar="S",
    help="Seconds a bucket.",
)
@click.option("--retry", is_flag=True, help="Also buckets that are left alone since they failed lately.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def collect(buckets_yaml: Path, warehouse: str, match: str | None, form: str, **limits: Any) -> int:
    """Read what is new in every bucket of BUCKETS_YAML into a warehouse of Parquet files.

    What was read is not read again, but for builds that had not finished. A bucket that fails costs itself a finding
    and is left alone for a while. Exits with 4 when something was found that breaks a reader or cannot be read.
    """
    import time

    from dashboard_feed.buckets import read_buckets
    from dashboard_feed.ingest.bucket import Options
    from dashboard_feed.ingest.collect import collect as collect_all
    from dashboard_feed.site import job_pattern
    from e2e.settings import current_settings
    from upload.errors import Outcome
    from upload.store import open_store

    options = Options(int(time.time()), job_pattern(match), **limits)
    specs = read_buckets(buckets_yaml)
    report = collect_all(specs, open_store(warehouse), options, holder=current_settings().owner)
    click.echo(_as_json(report) if form == "json" else _as_text(report))
    return Outcome.RESULTS.value.exit_code if report.has_errors else 0


def _as_json(report: CollectReport) -> str:
    def bucket(one: BucketReport) -> dict[str, Any]:
        facts = asdict(one)
        spec, notes, _ = facts.pop("spec"), facts.pop("notes"), facts.pop("listed")
        return {
            "bucket": spec["uri"],
            "prefix": spec["prefix"],
            **facts,
            "notes": [{"job": job, **finding} for job, finding in notes],
        }

    document = asdict(report)
    document["buckets"] = [bucket(one) for one in report.buckets]
    return json.dumps(document, indent=2)


def _as_text(report: CollectReport) -> str:
    from dashboard_feed.show import count

    lines = [line for bucket in report.buckets for line in _bucket_lines(bucket)]
    settled = sum(bucket.settled for bucket in report.buckets)
    done = [f"{count(settled, 'build')} read", count(report.commits, "commit")]
    if report.compacted:
        done.append(f"{count(report.compacted, 'day')} compacted")
    if report.expired:
        done.append(f"{count(report.expired, 'day')} no longer kept")
    whole = (count(report.builds, "build"), count(report.cases, "case"), count(report.days, "day"))
    lines.append(f"{', '.join(done)}; the warehouse holds {', '.join(whole)}")
    return "\n".join(lines)


def _bucket_lines(bucket: BucketReport) -> list[str]:
    from dashboard_feed.show import count, duration, size
    from dashboard_feed.text import one_line
    from e2e.cli._findings import told

    name = f"{bucket.spec.prefix} {bucket.spec.uri}"
    if bucket.skipped:
        return [f"{name}: skipped: {one_line(bucket.skipped)}"]
    did = [count(bucket.jobs, "job"), f"{count(bucket.settled, 'build')} read"]
    left = {
        "not finished yet": bucket.running,
        "to be read again": bucket.again,
        "older left out": bucket.older,
        "excluded or not matched": bucket.excluded,
    }
    did += [f"{number:,} {what}" for what, number in left.items() if number]
    wrong = {"error": bucket.errors, "warning": bucket.warnings}
    did += [f"{count(number, what)} in builds" for what, number in wrong.items() if number]
    cost = (count(bucket.requests, "request"), size(bucket.bytes), duration(bucket.seconds))
    lines = [f"{name}: {', '.join(did)} ({', '.join(cost)})"]
    lines += [f"  {line}" for _, finding in bucket.notes[:SHOWN_NOTES] for line in told(finding)]
    if len(bucket.notes) > SHOWN_NOTES:
        lines.append(f"  … and {len(bucket.notes) - SHOWN_NOTES} more, in the table findings")
    return lines


@click.command("sql")
@click.argument("query")
@warehouse_option
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file instead of the terminal.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep files of a gs:// warehouse here for the next question.",
)
@since_option
def sql(query: str, warehouse: str, form: str, out: Path | None, **what: Any) -> None:
    """Ask a warehouse: QUERY is SQL as DuckDB speaks it, over builds, cases, findings, objects, results and failures.

    \b
    e2e feed sql --warehouse wh "SELECT name, count(*) FROM failures GROUP BY name ORDER BY 2 DESC LIMIT 10"
    """  # noqa: D301  # click wants the character, not its name
    import sys

    from dashboard_feed.warehouse.answer import answer_into
    from upload.errors import UsageError
    from upload.store import open_store

    if form == "parquet" and out is None and sys.stdout.isatty():
        raise UsageError("Parquet is nothing for a terminal", hint="e2e feed sql … --format parquet --out FILE")
    store = open_store(warehouse, anonymous_too=True)
    with _target(out) as file:
        answer_into(file, form, store, query, **what)


@click.command("load")
@warehouse_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file instead of the terminal.")
@click.option(
    "--bigquery-schema",
    "schema",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the schema of the table to this file.",
)
@since_option
def load(warehouse: str, out: Path | None, schema: Path | None, since: str) -> None:
    """Write kettle's rows of a warehouse: for each finished build a line of JSON, as BigQuery loads them.

    \b
    e2e feed load --warehouse wh --out rows.json --bigquery-schema schema.json
    bq load --source_format=NEWLINE_DELIMITED_JSON DATASET.TABLE rows.json schema.json
    """  # noqa: D301  # click wants the character, not its name
    from dashboard_feed.kettle import render_schema, warehouse_rows
    from upload.store import open_store

    with _target(out) as file:
        file.writelines(warehouse_rows(open_store(warehouse, anonymous_too=True), since=since))
    if schema is not None:
        with _target(schema) as file:
            file.write(render_schema())


@contextmanager
def _target(path: Path | None) -> Iterator[BinaryIO]:
    """Give a file to write into, or what is printed. Raises ResultsError where it cannot be written."""
    import sys

    from upload.errors import ResultsError

    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror}") from error
