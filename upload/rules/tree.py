"""The rules about names, ids and what must be there. Pure: listings in, findings out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from upload.layout import ARTIFACTS, FINISHED, STARTED, as_integer, check_object_name, is_report_path
from upload.model import Finding
from upload.rules.junit import check_junit_name
from upload.rules.table import broken

UNFINISHED_AFTER_S = 24 * 3600  # TestGrid calls a build failed after this


def check_numbers(numbers: Collection[str], job_path: str) -> Iterator[Finding]:
    """Yield a finding when a job's build ids differ in width. Ids that are no integers are told elsewhere."""
    widths: dict[int, list[str]] = {}
    for number in numbers:
        if as_integer(number) is not None:
            widths.setdefault(len(number), []).append(number)
    if len(widths) > 1:
        samples = ", ".join(min(ids) for _, ids in sorted(widths.items()))
        yield broken("build.width", job_path, f"build ids of {len(widths)} widths, such as {samples}")


def check_names(folder: str, names: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with the objects of one finished build. ``names`` are relative to its folder."""
    for name in names:
        yield from check_object_name(folder + name)
        yield from check_junit_name(folder + name, name)
    if FINISHED in names and not any(is_report_path(name) for name in names if name.startswith(ARTIFACTS)):
        yield broken("junit.none", f"{folder}{ARTIFACTS}", "no JUnit file; name them artifacts/junit_NN.xml")


def check_presence(folder: str, names: Collection[str], started_s: int | None, now_s: int) -> Iterator[Finding]:
    """Yield a finding when started.json or finished.json is missing. ``started_s``: when the build began, if it says."""
    if STARTED not in names:
        yield broken("started.missing", folder + STARTED, "there is no started.json")
    if FINISHED not in names:
        hours = None if started_s is None else (now_s - started_s) // 3600
        if hours is None or hours * 3600 < UNFINISHED_AFTER_S:
            yield broken("finished.missing", folder + FINISHED, "there is no finished.json: the build runs, or died")
        else:
            yield broken("finished.late", folder + FINISHED, f"there is no finished.json {hours} hours after the start")


def check_latest_against(
    path: str, latest: str, finished: Collection[str], numbers: Collection[str]
) -> Iterator[Finding]:
    """Yield what is wrong between latest-build.txt and the builds. ``finished``: ids that have a finished.json."""
    if as_integer(latest) is None:
        return
    if latest not in finished:
        state = "has no finished.json" if latest in numbers else "is not there"
        yield broken("latest.unfinished", path, f"names build {latest}, which {state}")
    newest = max((value for number in finished if (value := as_integer(number)) is not None), default=0)
    if newest > int(latest):
        yield broken("latest.behind", path, f"names build {latest}, but {newest} is finished")
