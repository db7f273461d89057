"""The JUnit file of a suite: made from its events where pytest was killed, joined where cases had more attempts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from upload.model import Case

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Attempt = tuple[Path, Sequence[Case]]
"""Where pytest writes the JUnit of an attempt, and the cases that are known to have finished in it."""


def write_junit(attempts: Sequence[Attempt], path: Path) -> None:
    """Write the cases of all attempts, in their order, into one file: only there is a case of one name one test.

    An attempt whose file is not whole has the cases that finished; one without any is left out.
    """
    kept = [(file if _is_whole(file) else None, cases) for file, cases in attempts]
    kept = [(whole, cases) for whole, cases in kept if whole or cases]
    match kept:
        case []:
            return
        case [(Path() as whole, _)]:
            shutil.copyfile(whole, path)
        case _:
            _join(kept, path)


def _join(attempts: Sequence[tuple[Path | None, Sequence[Case]]], path: Path) -> None:
    # not junitparser: its parser refuses texts of more than ten million characters, which a log in a failure may have
    from xml.etree.ElementTree import Element, ElementTree

    joined = Element("testsuites")
    for whole, cases in attempts:
        joined.extend(_suites(whole, cases))
    ElementTree(joined).write(path, encoding="utf-8", xml_declaration=True)


def _suites(whole: Path | None, cases: Sequence[Case]) -> Iterator[Element]:
    from xml.etree.ElementTree import ParseError, parse

    from upload.junit_render import render_one

    if whole:
        with suppress(ParseError):  # its end is there, but what a broken writer left before it is no XML
            return parse(whole).getroot().iter("testsuite")  # noqa: S314  # what pytest wrote; publishing checks it
    return parse(BytesIO(render_one(cases))).getroot().iter("testsuite")  # noqa: S314  # ours


def _is_whole(path: Path) -> bool:
    """Say whether the file ends as pytest's does: it writes it in one go, so a cut shows at the end."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64))
            return file.read().rstrip().endswith((b"</testsuites>", b"</testsuite>"))
    except FileNotFoundError:
        return False
