from __future__ import annotations

from pathlib import Path

import pytest

from dashboard_feed import links
from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Job


@pytest.mark.parametrize(
    "address",
    ["https://jenkins.example.com/job/1/?a=1&b=2#x", "http://example.com", "HTTPS://example.com/%20"],
)
def test_plain_web_addresses_are_linked(address: str) -> None:
    assert links.web_href(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        " https://example.com",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.com",
        "https://",
        "https://user@example.com/",
        "https://kubernetes.io@evil.example/",
        "https://evil.example\\@kubernetes.io/",
        'https://example.com/"onmouseover=x',
        "https://[::1",
        "https://exa\u202emple.com/",
        "",
    ],
)
def test_other_addresses_are_not_linked(address: str) -> None:
    assert links.web_href(address) == ""


@pytest.mark.parametrize(
    ("uri", "path", "expected"),
    [
        pytest.param("gs://b/logs/", "j/1/a b.txt", "https://storage.googleapis.com/b/logs/j/1/a%20b.txt", id="gs"),
        pytest.param(
            "gs://b/logs/", "j/1/a?b#c:d", "https://storage.googleapis.com/b/logs/j/1/a%3Fb%23c%3Ad", id="gs signs"
        ),
        pytest.param("gs://b/logs/", "j/", "", id="gs has no folders to show"),
        pytest.param("gs://b/logs/", "j/../../x", "", id="dots"),
        pytest.param("gs://b/logs/", "j//x", "", id="an empty part"),
        pytest.param("gs://b/logs/", "j/\ud800", "", id="no UTF-8"),
        pytest.param("file:///srv/bucket/logs/", "j/1/x:y", "../../bucket/logs/j/1/x%3Ay", id="file"),
        pytest.param("file:///srv/bucket/logs/", "j/1/", "../../bucket/logs/j/1/", id="file folder"),
        pytest.param("file:///srv/my%20bucket/", "j", "../../my%20bucket/j", id="file with a space"),
        pytest.param("file:///srv/site/jobs/", "javascript:alert(1)", "javascript%3Aalert%281%29", id="no scheme"),
    ],
)
def test_object_links_are_safe(uri: str, path: str, expected: str) -> None:
    assert links.ObjectLinks(uri, Path("/srv/site")).href("jobs/index.html", path) == expected


def test_only_pages_of_test_history_hold_a_colon() -> None:
    job = Job(BucketSpec("gs://b/logs/", "kopeio:"), "ci-kubernetes-e2e", ())

    assert (links.suite_page(job), links.grid_page(job), links.build_page(job, "index")) == (
        "suite-kopeio:ci-kubernetes-e2e.html",
        "jobs/kopeio/ci-kubernetes-e2e/index.html",
        "jobs/kopeio/ci-kubernetes-e2e/build-index.html",
    )


def test_links_between_pages_are_relative() -> None:
    assert links.relative("jobs/a/b/index.html", "static/site.css") == "../../../static/site.css"
    assert links.relative("index.html", "suite-a:b=0.html") == "suite-a%3Ab=0.html"
