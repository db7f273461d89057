"""The whole of the feed: read every bucket, make every page, put them into a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed import build_pages, folder, hosted, links, outlets, pages
from dashboard_feed.alerts import job_id, watch
from dashboard_feed.case_pages import case_files, failed_tests
from dashboard_feed.cluster_page import cluster_files
from dashboard_feed.collect import GRID_BUILDS, read_bucket
from dashboard_feed.history import render_tests_json, suites
from dashboard_feed.kept import read_kept
from dashboard_feed.regressions import find_regressions
from dashboard_feed.render import Renderer, script_of, static_files
from dashboard_feed.summary import STALE_AFTER_S, by_urgency, summarize
from dashboard_feed.testgrid.alerts import AlertRule
from dashboard_feed.testgrid.files import testgrid_files
from upload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dashboard_feed.buckets import BucketSpec
    from dashboard_feed.builds import Bucket
    from upload.model import Finding
    from upload.store import Store


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """What a build of the site did. ``index`` is the address of the page to open; ``written`` counts files that changed."""

    index: str
    jobs: int
    builds: int
    pages: int
    written: int
    findings: tuple[Finding, ...]


def build_site(
    buckets: Sequence[BucketSpec], out: Path, *, match: str | None, now_s: int, warehouse: Store | None = None
) -> SiteSummary:
    """Make the site of the newest builds of the buckets in the folder ``out``.

    ``match``: a regular expression searched in ``prefix:job``; None takes all. ``now_s``: UTC epoch, the moment of
    reading; the same builds at the same moment give the same bytes. ``warehouse``: the builds are those that were
    collected there, and no bucket is read.
    Raises: UsageError for a bad ``match`` or a folder that is not ours; ResultsError when it cannot be written, and
    when there is no warehouse. What is wrong with a bucket is a finding.
    """
    wanted = job_pattern(match)
    with folder.locked(out):
        read = _read(buckets, wanted, now_s, warehouse)
        files = render_site(read, out, match=match, now_s=now_s)
        written = folder.replace(out, files)
    return _summary((out / links.INDEX).absolute().as_uri(), read, files, written)


def send_site(
    buckets: Sequence[BucketSpec], out: Store, *, match: str | None, now_s: int, warehouse: Store | None = None
) -> SiteSummary:
    """Make the site as objects of a store: those that changed are sent.

    As ``build_site``, but that folders of ``file://`` buckets are not linked: a store elsewhere knows no way to them.
    """
    wanted = job_pattern(match)
    read = _read(buckets, wanted, now_s, warehouse)
    files = render_site(read, None, match=match, now_s=now_s)
    written = hosted.replace(out, files)
    return _summary(links.public_href(out.uri_of(links.INDEX)), read, files, written)


def _read(
    buckets: Sequence[BucketSpec], match: re.Pattern[str] | None, now_s: int, warehouse: Store | None
) -> tuple[Bucket, ...]:
    if warehouse is not None:
        return read_kept(warehouse, buckets, match=match, now_s=now_s)
    return tuple(read_bucket(spec, match=match, now_s=now_s) for spec in buckets)


def _summary(index: str, read: Sequence[Bucket], files: Mapping[str, bytes], written: int) -> SiteSummary:
    return SiteSummary(
        index=index,
        jobs=sum(len(bucket.jobs) for bucket in read),
        builds=sum(len(job.builds) for bucket in read for job in bucket.jobs),
        pages=sum(1 for path in files if path.endswith(".html")),
        written=written,
        findings=tuple(finding for bucket in read for finding in pages.findings_of(bucket)),
    )


def render_site(buckets: Sequence[Bucket], out: Path | None, *, match: str | None, now_s: int) -> dict[str, bytes]:
    """Return every file of the site. ``out``: its folder, only needed to link to ``file://`` buckets; None: it has none."""
    jobs = [job for bucket in buckets for job in bucket.jobs]
    summaries = by_urgency([summarize(job, now_s, builds=GRID_BUILDS) for job in jobs])
    tests = failed_tests(summaries)
    renderer = Renderer(out.absolute() if out else None, now_s, tests)
    whole = pages.Whole(tuple(buckets), tuple(summaries), suites(buckets, now_s), match)
    files = static_files()
    files[links.READ] = script_of("e2eRead", now_s)
    files[links.TESTS_JSON] = render_tests_json(buckets, now_s)
    files[links.INDEX] = pages.index_page(renderer, whole)
    made = {job_id(summary.job): summary.meter.rows for summary in summaries}
    alerts = watch(buckets, AlertRule(), stale_after_s=STALE_AFTER_S, now_s=now_s, made=made).alerts
    files[links.INDEX_JSON] = outlets.index_json(summaries, alerts, now_s)
    files[links.ALERTS_ATOM] = outlets.alerts_atom(renderer, summaries, alerts)
    files[links.REGRESSIONS] = pages.regressions_page(renderer, find_regressions(buckets))
    files |= cluster_files(renderer, buckets)
    files |= case_files(renderer, tests)
    for summary in summaries:
        files[links.badge(summary.job)] = outlets.badge(renderer, summary)
        files[links.grid_page(summary.job)] = pages.grid_page(renderer, summary)
        files[links.grid_script(summary.job)] = pages.grid_script(summary)
        history = build_pages.job_history(summary.job, summary.meter)
        for index, build in enumerate(summary.job.builds):
            files[links.build_page(summary.job, build.number)] = build_pages.build_page(renderer, history, index)
    files |= testgrid_files(summaries, stale_after_s=STALE_AFTER_S, now_s=now_s)
    for suite in whole.suites:
        if suite.tallies:
            files[links.suite_page(suite.job)] = pages.suite_page(renderer, suite)
    return files


def job_pattern(match: str | None) -> re.Pattern[str] | None:
    """Return ``--match`` compiled, None for all jobs. Raises UsageError."""
    try:
        return re.compile(match) if match else None
    except re.error as error:
        raise UsageError(f"--match {match!r} is no regular expression: {error}") from error
