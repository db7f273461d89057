"""Ginkgo's JUnit report: cut down to what was selected.

The report holds all 7,500 cases of upstream, those that were not selected as ``skipped`` without a reason: as rows of a
dashboard they say nothing. A case that was skipped while it ran has a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from upload.model import Case

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NOT_SELECTED = "skipped"
INTERRUPTED = "interrupted"


def take_report(report: Path, whole: Path, *, was_stopped: bool) -> list[Case] | None:
    """Write the selected cases of a report to ``whole`` and return them; None when there is no report, or half of one.

    ``was_stopped``: what ran when we stopped it has not finished and is left out.
    """
    from xml.etree.ElementTree import ParseError, parse

    from upload.junit import read_junit

    try:
        tree = parse(report)  # noqa: S314  # what Ginkgo wrote; publishing checks it
    except (FileNotFoundError, ParseError):
        return None
    for suite in tree.getroot().iter("testsuite"):
        for case in [case for case in suite.iter("testcase") if _is_dropped(case, was_stopped=was_stopped)]:
            suite.remove(case)
    tree.write(whole, encoding="utf-8", xml_declaration=True)
    return list(read_junit(whole, name=whole.name).cases)


def _is_dropped(case: Element, *, was_stopped: bool) -> bool:
    endings = {(child.tag, child.get(key, "")) for child, key in _endings(case)}
    return ("skipped", NOT_SELECTED) in endings or (was_stopped and ("error", INTERRUPTED) in endings)


def _endings(case: Element) -> Iterator[tuple[Element, str]]:
    for child in case:
        if child.tag in ("skipped", "error"):
            yield child, "message" if child.tag == "skipped" else "type"
