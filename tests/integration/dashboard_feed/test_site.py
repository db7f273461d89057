"""The whole feed over a written federation: from the objects of buckets to the files of a site."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.folder import LOCK, MANIFEST
from dashboard_feed.render import FOLDER
from dashboard_feed.site import SiteSummary, build_site
from tests.support.federation import NAMES
from tests.support.gcs import Bucket
from upload.errors import UsageError
from upload.model import Put

OF_ALL = (
    "index.html",
    "index.json",
    "alerts.atom",
    "clusters.html",
    "regressions.html",
    "tests.json",
)  # of all parties by intent
TEMPLATES = FOLDER / "templates"
Files = Mapping[str, bytes]


def make(buckets: Sequence[BucketSpec], out: Path, now_s: int, match: str | None = None) -> SiteSummary:
    return build_site(buckets, out, match=match, now_s=now_s)


def files(out: Path) -> Files:
    found = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if name not in (MANIFEST, LOCK)}


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def site(federation: tuple[BucketSpec, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.integration.dashboard_feed.conftest import NOW_S

    out = tmp_path_factory.mktemp("site")
    make(federation, out, NOW_S)
    return out


def test_every_job_and_build_gets_its_page(site: Path, federation: tuple[BucketSpec, ...]) -> None:
    pages = files(site)
    jobs = [name for name in pages if re.fullmatch(r"jobs/[^/]+/[^/]+/index\.html", name)]
    builds = [name for name in pages if re.fullmatch(r"jobs/[^/]+/[^/]+/build-[^/]+\.html", name)]
    local = [name for name in builds if "/ci-kubernetes-e2e-local/" in name]

    assert (len(jobs), len(local), len(builds)) == (9, 6, 46)
    assert {"index.html", "tests.json", "static/site.css", "static/site.js"} <= set(pages)
    assert "suite-example:ci-kubernetes-e2e-gce-ubuntu.html" in pages


def test_tests_json_tells_what_was_published(site: Path, federation: tuple[BucketSpec, ...], now_s: int) -> None:
    document = json.loads(files(site)["tests.json"])
    example = document["buckets"][federation[0].uri]
    azure = example["ci-kubernetes-e2e-azure-ubuntu"]

    assert list(document["buckets"]) == sorted(spec.uri for spec in federation)
    assert set(NAMES[:20]) <= set(document["test_names"])
    assert {job: len(builds) for job, builds in example.items()} == {
        "ci-kubernetes-e2e-azure-ubuntu": 2,
        "ci-kubernetes-e2e-gce-ubuntu": 2,
        "ci-kubernetes-e2e-local": 6,
    }
    (newest,) = [build for number, build in azure.items() if number == "20261122140320"]
    tests = [(document["test_names"][test["name"]], test.get("failed", False)) for test in newest["tests"]]
    assert (newest["timestamp"], tests) == (
        now_s - 3 * 3600 + 388,
        [
            ("e2e.Up: Make machines", False),
            ("e2e.Up: Reach machines", True),
            ("e2e.Up", True),
            ("e2e.Dump", False),
            ("e2e.Down", False),
        ],
    )


def test_tests_json_keeps_every_rule_of_its_readers(site: Path, now_s: int) -> None:
    """What gen_html.py takes for granted, also of the broken and the hostile bucket; source: consumers.md section 3."""
    content = (site / "tests.json").read_bytes()
    document = json.loads(content, parse_constant=pytest.fail)
    builds = [build for jobs in document["buckets"].values() for job in jobs.values() for build in job.values()]
    tests = [test for build in builds for test in build["tests"]]

    assert content == json.dumps(document, sort_keys=True).encode("ascii")
    assert set(document) == {"buckets", "test_names"}
    assert {tuple(sorted(build)) for build in builds} == {("tests", "timestamp")}
    assert all(type(b["timestamp"]) is int and now_s - b["timestamp"] <= 86_400 for b in builds)
    assert {test["name"] for test in tests} == set(range(len(document["test_names"])))
    assert all(type(test["time"]) is float and test["time"] >= 0 for test in tests)
    assert all(test.get(key, True) is True for test in tests for key in ("failed", "skipped"))
    assert len(set(document["test_names"])) == len(document["test_names"])


def test_the_same_buckets_at_the_same_moment_give_the_same_bytes(
    federation: tuple[BucketSpec, ...], tmp_path: Path, now_s: int
) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    made = make(federation, first, now_s)
    again = make(federation, first, now_s)
    make(federation, second, now_s)

    assert (made.written, again.written) == (len(files(first)), 0)
    assert files(first) == files(second)


def test_a_hostile_bucket_changes_no_page_of_the_others(
    federation: tuple[BucketSpec, ...], tmp_path: Path, now_s: int
) -> None:
    make(federation, tmp_path / "with", now_s)
    make(federation[:2], tmp_path / "without", now_s)
    with_it, without = files(tmp_path / "with"), files(tmp_path / "without")
    own = [name for name in without if name not in OF_ALL and not name.startswith("triage/")]

    assert {name: with_it[name] for name in own} == {name: without[name] for name in own}
    sound, both = (json.loads(found["tests.json"])["buckets"] for found in (without, with_it))
    assert {uri: both[uri] for uri in sound} == sound  # they come first, so the names have the same numbers


def test_all_links_within_the_site_lead_somewhere(site: Path) -> None:
    pages = files(site)
    missing = []
    for name, content in pages.items():
        if not name.endswith(".html"):
            continue
        for tag, attributes in Tags(content).found:
            target = attributes.get("href") or attributes.get("src") or ""
            parts = urlsplit(target)
            if parts.scheme or "/logs/" in target:
                continue
            path = (site / name).parent / unquote(parts.path) if parts.path else site / name
            content_there = path.read_bytes() if path.is_file() else b""
            if not content_there or (parts.fragment and f'id="{parts.fragment}"'.encode() not in content_there):
                missing.append((name, tag, target))

    assert missing == []


def test_links_into_a_folder_of_results_lead_to_objects(site: Path) -> None:
    page = next((site / "jobs/example/ci-kubernetes-e2e-gce-ubuntu").glob("build-*.html"))
    links = [a.get("href") or "" for tag, a in Tags(page.read_bytes()).found if tag == "a"]
    objects = [page.parent / unquote(link) for link in links if "/logs/" in link]

    assert len(objects) > 10
    assert [path for path in objects if not path.exists()] == []


def test_only_web_addresses_and_relative_links_are_followed(site: Path) -> None:
    schemes = {
        urlsplit(attributes.get(key) or "").scheme
        for name, content in files(site).items()
        if name.endswith(".html")
        for _, attributes in Tags(content).found
        for key in ("href", "src")
    }

    assert schemes == {"", "https"}


def test_pages_hold_only_the_tags_and_attributes_of_the_templates(site: Path) -> None:
    """Whatever a bucket says, it adds no tag, no handler, no style and no script."""
    tags: set[str] = set()
    attributes: set[str] = set()
    for name, content in files(site).items():
        if name.endswith(".html"):
            for tag, found in Tags(content).found:
                tags.add(tag)
                attributes |= set(found)
                assert tag != "script" or re.fullmatch(r"(\.\./)*(static/site|read)\.js|grid\.js", found["src"] or "")

    own = {tag for path in TEMPLATES.glob("*.html") for tag in re.findall(r"<([a-z0-9]+)", path.read_text())}
    assert tags <= own
    assert [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc", "formaction")] == []


def test_broken_builds_are_findings(site: Path, federation: tuple[BucketSpec, ...], tmp_path: Path, now_s: int) -> None:
    summary = make(federation[2:], tmp_path / "site", now_s)
    rules = {finding.rule for finding in summary.findings}
    of_junit = {rule for rule in rules if rule.startswith(("junit.", "report."))}

    assert {rule.partition(".")[2] for rule in of_junit} == {"dtd", "empty", "root", "time", "truncated"}
    assert rules - of_junit == {
        "build.id",
        "finished.json",
        "finished.metadata",
        "finished.passed",
        "finished.result",
        "finished.timestamp",
        "started.json",
        "started.missing",
        "started.node",
        "started.timestamp",
    }
    assert (summary.jobs, summary.builds) == (4, 16)


def test_builds_that_vanish_take_their_pages_with_them(
    federation: tuple[BucketSpec, ...], tmp_path: Path, now_s: int
) -> None:
    bucket = tmp_path / "bucket"
    shutil.copytree(unquote(urlsplit(federation[0].uri).path), bucket)
    spec = BucketSpec(f"{bucket.as_uri()}/", "p:")
    out = tmp_path / "site"
    make([spec], out, now_s)
    shutil.rmtree(bucket / "ci-kubernetes-e2e-azure-ubuntu")
    gone = min((bucket / "ci-kubernetes-e2e-local").glob("2*"))
    shutil.rmtree(gone)
    make([spec], out, now_s)

    assert not (out / "jobs/p/ci-kubernetes-e2e-azure-ubuntu").exists()
    assert not (out / f"jobs/p/ci-kubernetes-e2e-local/build-{gone.name}.html").exists()
    assert (out / "jobs/p/ci-kubernetes-e2e-gce-ubuntu/index.html").exists()


@pytest.mark.parametrize(
    ("match", "jobs"), [("^example:.*-local$", 1), ("ubuntu", 2), ("nothing", 0)], ids=["anchored", "part", "none"]
)
def test_match_is_searched_in_prefix_and_name(
    federation: tuple[BucketSpec, ...], tmp_path: Path, now_s: int, match: str, jobs: int
) -> None:
    assert make(federation[:2], tmp_path / "site", now_s, match).jobs == jobs


def test_a_bad_match_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no regular expression"):
        make([], tmp_path / "site", 0, "(")


def test_a_bucket_that_is_not_there_is_a_finding(tmp_path: Path, now_s: int) -> None:
    spec = BucketSpec(f"{(tmp_path / 'nothing').as_uri()}/", "p:")
    summary = make([spec], tmp_path / "site", now_s)

    assert [(finding.rule, finding.what) for finding in summary.findings] == [("bucket.empty", "no job was found here")]


def test_a_bucket_behind_http_is_read_the_same_way(
    federation: tuple[BucketSpec, ...], bucket: Bucket, tmp_path: Path, now_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Path(unquote(urlsplit(federation[0].uri).path)) / "ci-kubernetes-e2e-azure-ubuntu"
    store = bucket.store("logs")
    for path in sorted(job.rglob("*")):
        if path.is_file():
            store.put(Put(f"{job.name}/{path.relative_to(job)}", path.read_bytes(), "text/plain"))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.endpoint)
    nobody = BucketSpec("gs://no-such-bucket/logs/", "nobody:")
    summary = make([nobody, BucketSpec(f"{bucket.uri}/logs/", "gs:")], tmp_path / "site", now_s)
    page = tmp_path / "site/jobs/gs/ci-kubernetes-e2e-azure-ubuntu/build-20261122140320.html"
    links = [a.get("href") or "" for tag, a in Tags(page.read_bytes()).found if tag == "a"]

    assert (summary.jobs, summary.builds, [f.rule for f in summary.findings]) == (1, 6, ["bucket.unreadable"])
    assert f"https://storage.googleapis.com/{bucket.name}/logs/{job.name}/20261122140320/build-log.txt" in links
