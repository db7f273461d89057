"""What other programs read of the site: all jobs as JSON, open alerts as an Atom feed, and a badge for each job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed import links
from dashboard_feed.alerts import Alert, AlertKind, as_json
from dashboard_feed.builds import Mark
from dashboard_feed.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_feed.builds import Job
    from dashboard_feed.render import Renderer
    from dashboard_feed.summary import JobSummary

FORMAT = 1
MOST_FAILING = 200
MOST_ENTRIES = 500
LABEL_CHARS = 60
_CHAR_PX = 6.6  # of DejaVu Sans at 11 px, wide enough for those who have another one
_COLOURS = {Mark.PASSED: "#1a7f37", Mark.FAILED: "#b3261e", Mark.ABORTED: "#b3261e", Mark.UNFINISHED: "#b3261e"}
_NO_COLOUR = "#5f6670"


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert as the Atom feed tells it. ``page``: relative to the site; ``at_s``: UTC epoch of its newest build."""

    alert: Alert
    title: str
    page: str
    at_s: int


def index_json(summaries: Sequence[JobSummary], alerts: Sequence[Alert], now_s: int) -> bytes:
    """Return every job with its state, by urgency, and the open alerts. Links are relative to the file."""
    document = {
        "format": FORMAT,
        "read_at": now_s,
        "jobs": [_job(summary) for summary in summaries],
        "alerts": [as_json(alert) for alert in alerts],
    }
    return (json.dumps(document, ensure_ascii=True, indent=1, sort_keys=True) + "\n").encode("ascii")


def alerts_atom(renderer: Renderer, summaries: Sequence[JobSummary], alerts: Sequence[Alert]) -> bytes:
    """Return the open alerts as an Atom feed, the newest first. Source: RFC 4287."""
    pages = {(s.job.spec.uri, s.job.full_name): links.grid_page(s.job) for s in summaries}
    entries = [
        Entry(alert, _title(alert), pages[alert.bucket, alert.job], _at_s(alert))
        for alert in alerts
        if (alert.bucket, alert.job) in pages
    ]
    entries.sort(key=lambda entry: (-entry.at_s, entry.alert.id))
    # the moment of reading is no change: who polls compares bytes
    newest_s = max((entry.at_s for entry in entries), default=0)
    return renderer.page("alerts.atom", links.ALERTS_ATOM, entries=entries[:MOST_ENTRIES], updated_s=newest_s)


def badge(renderer: Renderer, summary: JobSummary) -> bytes:
    """Return a picture of a job's state, to be shown elsewhere."""
    mark = Mark.FAILED if summary.is_bad and summary.mark is Mark.PASSED else summary.mark
    label = one_line(summary.job.full_name, LABEL_CHARS)
    word = "stale" if summary.is_stale else mark.word if mark else "no builds"
    colour = _NO_COLOUR if summary.is_stale or mark is None else _COLOURS.get(mark, _NO_COLOUR)
    left, right = (round(len(text) * _CHAR_PX + 12) for text in (label, word))
    return renderer.page(
        "badge.svg", links.badge(summary.job), label=label, word=word, colour=colour, left=left, right=right
    )


def _job(summary: JobSummary) -> dict[str, object]:
    job: Job = summary.job
    newest = summary.newest
    return {
        "job": job.full_name,
        "bucket": job.spec.uri,
        "contact": job.spec.contact,
        "state": summary.mark.word if summary.mark else "no builds",
        "is_bad": summary.is_bad,
        "is_stale": summary.is_stale,
        "headline": summary.headline,
        "passed": summary.passes,
        "ended": len(summary.ended),
        "failing": [row.name for row in summary.grid.failing[:MOST_FAILING]],
        "newest": newest
        and {
            "build": newest.number,
            "started": newest.started_s,
            "finished": newest.finished_s,
            "version": newest.version,
            "commit": newest.commit,
            "page": links.build_page(job, newest.number),
        },
        "page": links.grid_page(job),
        "badge": links.badge(job),
    }


def _title(alert: Alert) -> str:
    if alert.kind is AlertKind.STALE:
        return f"{alert.job} is stale"
    since = f" since build {alert.first_bad.build}" if alert.first_bad else ""
    return f"{alert.job}: {alert.test} fails{since}"


def _at_s(alert: Alert) -> int:
    return (alert.latest_bad.at_s if alert.latest_bad else None) or 0
