"""The site as a person uses it: opened from a folder, filtered, walked with the keyboard, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.browser.conftest import JOB, Visit

BOTH_WIDTHS = pytest.mark.parametrize("width", [1280, 400], ids=["wide", "narrow"])
GRID = f"{JOB}/index.html"
SUITE = "suite-example:ci-kubernetes-e2e-gce-ubuntu.html"


def newest_build(site: Path, job: str = JOB) -> str:
    return str(max((site / job).glob("build-*.html")).relative_to(site))


def page_of_test(site: Path, words: str) -> str:
    (page,) = (site / "tests").glob(f"*{words}*.html")
    return str(page.relative_to(site))


def every_kind_of_page(site: Path) -> list[str]:
    hostile = [str(path.relative_to(site)) for path in sorted((site / "jobs/hostile").rglob("*.html"))]
    azure = newest_build(site, "jobs/example/ci-kubernetes-e2e-azure-ubuntu")
    return [
        "index.html",
        GRID,
        "clusters.html",
        "regressions.html",
        newest_build(site),
        azure,
        SUITE,
        page_of_test(site, "deployment-should-roll-back"),
        "jobs/broken/ci-kubernetes-e2e-broken/index.html",
        *hostile,
    ]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))


@BOTH_WIDTHS
def test_every_kind_of_page_opens_without_complaint_and_fits(visit: Visit, site: Path) -> None:
    for path in every_kind_of_page(site):
        page = visit.open(path)

        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("wide", [1280, 360])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, site: Path, scheme: Literal["light", "dark"], wide: int
) -> None:
    found: list[str] = []
    # axe-core is put into the page as a script, which the page itself does not allow
    with browser.new_context(viewport={"width": wide, "height": 900}, color_scheme=scheme, bypass_csp=True) as context:
        page = context.new_page()
        for path in every_kind_of_page(site):
            page.goto((site / path).as_uri())
            violations = Axe().run(page).response["violations"]
            found += [f"{path}: {each['id']}: {node['html'][:200]}" for each in violations for node in each["nodes"]]

    assert found == []


@BOTH_WIDTHS
def test_one_gets_from_the_first_page_to_the_evidence_and_back(visit: Visit) -> None:
    page = visit.open("index.html")
    expect(page.locator("h1")).to_have_text("5 of 9 jobs are failing")
    page.get_by_role("link", name="example:ci-kubernetes-e2e-gce-ubuntu").first.click()
    expect(page.locator("h1")).to_contain_text("3 tests fail")
    page.locator("tr.t", has_text="Deployment should roll back").locator("td a").first.click()
    case = page.locator("details.case:target")
    expect(case).to_contain_text("failing for 5 builds, since 20 Nov")
    expect(case.locator("pre")).to_contain_text("readyReplicas=2")
    expect(case.locator(".again code")).to_have_text(
        r"e2e run ci-kubernetes-e2e-gce-ubuntu --focus '^\[sig-apps\] Deployment should roll back to an earlier revision$'"
    )
    case.get_by_role("link", name="case.txt").click()
    expect(page.locator("body")).to_contain_text("again: e2e run ci-kubernetes-e2e-gce-ubuntu")
    page.go_back()
    page.get_by_role("link", name="← Older").click()
    expect(page.locator("h1")).to_contain_text("2 of 49 tests failed")
    page.get_by_role("link", name="Federated e2e").click()
    expect(page.locator("h1")).to_have_text("5 of 9 jobs are failing")


def test_jobs_are_filtered_by_words_and_by_state(visit: Visit) -> None:
    page = visit.open("index.html")
    rows = page.locator("#jobs tbody tr:visible")
    page.get_by_placeholder("Filter jobs").fill("AWS kopeio")
    expect(rows).to_have_count(2)
    expect(page.locator(".count")).to_have_text("2 of 9")
    page.locator(".chips label", has_text="Stale").click()
    expect(rows).to_have_count(1)
    page.get_by_placeholder("Filter jobs").fill("nothing like this")
    expect(rows).to_have_count(0)
    expect(page.get_by_text("Nothing matches this filter.")).to_be_visible()
    page.get_by_placeholder("Filter jobs").press("Escape")
    page.locator(".chips label", has_text="All").click()
    expect(rows).to_have_count(9)


def test_tests_are_filtered_to_those_that_fail(visit: Visit) -> None:
    page = visit.open(GRID)
    rows = page.locator("#grid tr.t:visible")
    everything, steps = rows.count(), page.locator("#grid tr.t[data-step]").count()
    assert steps > 0
    expect(page.locator(".chips label", has_text="All")).to_have_text(f"All {everything - steps}")
    expect(page.locator(".chips label", has_text="Failing")).to_have_text("Failing 3")
    page.locator(".chips label", has_text="Failing").click()
    expect(rows).to_have_count(4)  # three tests, and the step that holds them
    expect(page.locator(".count")).to_have_text(f"3 of {everything - steps}")
    page.get_by_placeholder("Filter tests").fill("daemonset")
    expect(rows).to_have_count(1)


@BOTH_WIDTHS
def test_the_grid_is_walked_with_the_keyboard(visit: Visit) -> None:
    page = visit.open(GRID)
    page.keyboard.press("/")
    expect(page.get_by_placeholder("Filter tests")).to_be_focused()
    page.keyboard.type("roll back")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.getAttribute('role')") != "region":
        page.keyboard.press("Tab")
    while page.evaluate("!document.activeElement.closest('tbody')"):
        page.keyboard.press("Tab")
    assert focused(page) == "F"  # the newest build's verdict is the one stop in the grid
    page.keyboard.press("ArrowDown")
    tip = page.get_by_role("tooltip")
    expect(tip).to_contain_text("failed in")
    expect(tip).to_contain_text("NotYet")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert focused(page) == "P"
    expect(tip).to_contain_text("passed in")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator("details.case:target")).to_contain_text("roll back")


def test_the_pointer_shows_why_a_cell_failed(visit: Visit) -> None:
    page = visit.open(GRID)
    page.locator("tr.t", has_text="DaemonSet should run on selected").locator("td").first.hover()

    expect(page.get_by_role("tooltip")).to_contain_text("DaemonSet should run on selected nodes only: not after 120 s")


def test_the_first_tab_skips_to_the_content(visit: Visit) -> None:
    page = visit.open("index.html")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@BOTH_WIDTHS
def test_headers_and_names_stay_while_the_grid_scrolls(visit: Visit) -> None:
    page = visit.open(GRID)
    page.locator(".gridbox").evaluate("box => box.scrollTo(120, 600)")
    box, corner, name = (
        page.locator(selector).first.bounding_box() for selector in (".gridbox", ".corner", "tr.t:nth-child(25) th")
    )

    assert box is not None
    assert corner is not None
    assert name is not None
    assert (round(corner["x"] - box["x"]), round(corner["y"] - box["y"]), round(name["x"] - box["x"])) == (1, 1, 1)


def luminance(color: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", color)[:3])) / 3


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_colours_follow_the_system(visit: Visit, scheme: str, is_dark: bool) -> None:
    visit.page.emulate_media(color_scheme="dark" if is_dark else "light")
    page = visit.open("index.html")
    ground, ink = page.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")

    assert (luminance(ground) < 64, luminance(ink) > 190) == (is_dark, is_dark), scheme


def test_pages_are_readable_without_script(browser: Browser, site: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((site / GRID).as_uri())

        expect(page.locator("tr.t")).to_have_count(55)
        expect(page.get_by_placeholder("Filter tests")).to_be_hidden()
        page.locator("tr.t td a").first.click()
        expect(page.locator("h1")).to_contain_text("3 of 49 tests failed")


def test_times_are_told_in_utc_and_become_ages_by_script(browser: Browser, visit: Visit, site: Path) -> None:
    pages = {"index.html": ".c-age time", newest_build(site): ".meta"}
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        for path, place in pages.items():
            page.goto((site / path).as_uri())
            expect(page.locator(place).first).to_contain_text(re.compile(r"^2026-11-2\d \d\d:\d\d UTC"))
            expect(page.get_by_text(" ago")).to_have_count(0)

    for path, place in pages.items():
        expect(visit.open(path).locator(place).first).to_contain_text(re.compile("ago|just now|in the future"))


@pytest.mark.parametrize("width", [360], ids=["phone"])
def test_the_last_day_is_whole_on_a_phone(visit: Visit) -> None:
    page = visit.open("index.html")
    widths = page.locator("#day .scroll").evaluate_all("all => all.map(one => [one.scrollWidth, one.clientWidth])")

    assert len(widths) == 2
    assert [(needed, there) for needed, there in widths if needed > there] == []
    edges = page.locator("#day td:visible").evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert max(edges) <= 360


def test_nothing_that_a_bucket_says_is_executed(visit: Visit, site: Path) -> None:
    dialogs: list[str] = []

    def refuse(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    visit.page.on("dialog", refuse)
    pages = [path for path in every_kind_of_page(site) if "hostile" in path]
    for path in ["index.html", *pages]:
        page = visit.open(path)
        page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
        page.mouse.move(200, 400)

        assert page.evaluate(
            "[window.pwned, ({}).polluted, document.querySelectorAll('main img, main svg[onload]').length]"
        ) == [
            None,
            None,
            0,
        ], path
    assert (len(pages) > 4, dialogs) == (True, [])


def test_hostile_names_are_shown_as_they_are(visit: Visit, site: Path) -> None:
    path = next(path for path in every_kind_of_page(site) if path.endswith("build-77.html"))
    page = visit.open(path)
    links = page.locator("dl.facts a").evaluate_all("all => all.map(one => one.getAttribute('href'))")

    expect(page.locator("details.case").first).to_contain_text("<script>window.pwned=1</script>")
    assert links == ["https://jenkins.example.com/job/1/?a=1&b=2"]


def test_a_page_asks_nobody_else_for_anything(visit: Visit, site: Path) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    for path in every_kind_of_page(site):
        visit.open(path)

    assert [url for url in asked if not url.startswith(site.as_uri())] == []
