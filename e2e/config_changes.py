"""What a change of configs does: jobs that come, go or change, and with them buckets, tabs and costs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.lifecycle.costs import monthly
from e2e.specs import bucket_spec, tab_spec
from providers.config.find import config_files, job_value
from providers.config.load import LoadedJob
from providers.config.resolved import resolved_values
from providers.config.review import Review
from providers.registry import make_provider
from providers.wording import visible

NO_ESTIMATE = "no estimate"
TEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as people compare it. ``values``: dotted key → JSON text; None for a config that has problems.

    ``bucket`` and ``tab`` are empty where nobody else can read the results; ``cost`` is of a month.
    """

    name: str
    path: str
    values: Mapping[str, str] | None = None
    bucket: str = ""
    tab: str = ""
    cost: str = ""


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job before and after; one of them is None where it comes or goes. ``is_first``: its bucket is read by nobody yet."""

    before: JobView | None
    after: JobView | None
    is_first: bool = False

    @property
    def verb(self) -> str:
        """What happens to it."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    @property
    def view(self) -> JobView:
        """The job as it is, or as it was where it goes."""
        view = self.after or self.before
        assert view is not None
        return view

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What there is to tell, each with its label."""
        now = self.view
        if self.before is not None and self.after is not None:
            return tuple(_differences(self.before, self.after))
        first = ", a new entry for buckets.yaml" if self.is_first else ""
        bucket = f"{now.bucket}{first}" if now.bucket else "none: others cannot read it"
        told = {"bucket": bucket, "tab": now.tab, "cost": now.cost}
        return tuple((label, text) for label, text in told.items() if text and now.values is not None)


Jobs = Mapping[str, JobView]


def jobs_of(found: Review, root: Path) -> Jobs:
    """Return the jobs of a review, with paths below ``root``. Of one with problems only the name is known."""
    jobs: dict[str, JobView] = {}
    valid = set(found.valid)
    for path in config_files(found.search):
        if path not in valid and (name := job_value(path)):
            jobs[name] = JobView(name, _below(root, path))
    for job in found.jobs:
        view = view_of(job, root)
        jobs[view.name] = view
    return jobs


def view_of(job: LoadedJob, root: Path) -> JobView:
    """Return what is compared of a job."""
    choice = job.config.provider
    bucket, tab = "", ""
    if job.config.results.is_public:
        spec, board = bucket_spec(job.config), tab_spec(job.config)
        bucket, tab = f"{spec.uri} as {spec.prefix}", f"{board.dashboard} / {board.tab}"
    return JobView(
        name=job.config.job,
        path=_below(root, job.path),
        values={each.key: json.dumps(each.value, ensure_ascii=False) for each in resolved_values(job)},
        bucket=bucket,
        tab=tab,
        cost=monthly(make_provider(choice.name, choice.settings), job.config) or NO_ESTIMATE,
    )


def changes(before: Jobs, after: Jobs) -> tuple[JobChange, ...]:
    """Return what differs, by name."""
    known = {view.bucket for view in before.values()}
    found = (
        JobChange(before.get(name), now := after.get(name), bool(now and now.bucket and now.bucket not in known))
        for name in sorted({*before, *after})
    )
    return tuple(change for change in found if change.before is None or change.after is None or change.facts)


def _differences(before: JobView, after: JobView) -> Iterator[tuple[str, str]]:
    if before.values is None or after.values is None:
        if before.values is not None or after.values is not None:
            yield "config", "its problems are mended" if before.values is None else "it has problems now"
        return
    for key in dict.fromkeys([*before.values, *after.values]):
        was, now = before.values.get(key, "nothing"), after.values.get(key, "nothing")
        if was != now:
            yield key, f"{_short(was)} -> {_short(now)}"
    for label in ("bucket", "tab", "cost"):
        was, now = getattr(before, label), getattr(after, label)
        if was != now:
            yield label, f"{was or 'none'} -> {now or 'none'}"


def as_text(found: Iterable[JobChange]) -> Iterator[str]:
    """Yield the lines for a terminal."""
    for change in found:
        view = change.view
        yield f"{change.verb:<8} {visible(view.name, TEXT_CHARS)} ({visible(view.path, TEXT_CHARS)})"
        for label, told in change.facts:
            yield f"         {label}: {visible(told, 2 * TEXT_CHARS + 10)}"


def as_markdown(found: Iterable[JobChange]) -> str:
    """Return a summary for a pull request. All that comes from a config stands in code, where nothing is a link or a tag."""
    parts = []
    for change in found:
        view = change.view
        parts.append(f"**{change.verb}** {_code(view.name)} ({_code(view.path)})\n")
        parts.append("".join(f"- {label}: {_code(told)}\n" for label, told in change.facts))
    return "\n".join(part for part in parts if part) or "No job changes.\n"


def as_json(change: JobChange) -> dict[str, Any]:
    """Return a change as plain values."""
    view = change.view
    return {"job": view.name, "file": view.path, "change": change.verb, "facts": dict(change.facts)}


def _below(root: Path, path: Path) -> str:
    return str(path.resolve().relative_to(root))


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}…"


def _code(text: str) -> str:
    """Return text as a code span: no backtick of it ends the span, and it stays on its line."""
    plain = visible(text, 2 * TEXT_CHARS + 10).replace("`", "'")
    return f"`{plain}`"
