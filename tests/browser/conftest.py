"""A site of a written federation, opened from its folder by a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Playwright, expect, sync_playwright

from dashboard_feed.site import build_site
from tests.support.federation import write_federation

NOW_S = 1_795_367_000  # 2026-11-22 17:03:20
JOB = "jobs/example/ci-kubernetes-e2e-gce-ubuntu"

# nothing that talks to anybody, and nothing that needs a display, a sandbox or the user's profile
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """One page of the browser, and everything that it complained about."""

    page: Page
    site: Path
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open a file of the site, given relative to it, perhaps with a fragment."""
        name, _, fragment = path.partition("#")
        self.page.goto((self.site / name).as_uri() + (f"#{fragment}" if fragment else ""))
        return self.page

    def note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def note_error(self, error: Error) -> None:
        self.complaints.append(f"{self.page.url}: {error}")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a federation of 8 builds a job."""
    root: Path = tmp_path_factory.mktemp("federation")
    buckets = write_federation(root, now_s=NOW_S, builds=8)
    build_site(buckets, root / "site", match=None, now_s=NOW_S)
    return root / "site"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=15_000)  # a machine that does other things as well
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium without a window, with a new and empty profile."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    started = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS), timeout=60_000)
    yield started
    started.close()


@pytest.fixture
def width() -> int:
    """The window's width in pixels; a test that looks at two widths parametrizes it."""
    return 1280


@pytest.fixture
def visit(browser: Browser, site: Path, width: int) -> Iterator[Visit]:
    """A new page; the test fails when a page of the site complained on its console."""
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        context.set_default_timeout(10_000)
        page = context.new_page()
        visiting = Visit(page, site)
        page.on("console", visiting.note)
        page.on("pageerror", visiting.note_error)
        yield visiting
    assert visiting.complaints == []
