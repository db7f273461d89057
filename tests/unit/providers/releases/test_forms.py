from __future__ import annotations

from pathlib import Path

import pytest

from providers.releases.forms import check_form, checkout_of, folder_of, release_of
from upload.errors import UsageError


@pytest.mark.parametrize(
    "text",
    [
        "pinned",
        "v1.36.3",
        "v1.37.0-rc.1",
        "v1.37.0-alpha.1.25+0123456789abcd",
        "release/stable",
        "release/stable-1.36",
        "ci/latest",
        "ci/latest-1.36",
        "file:///srv/kubernetes/v1.36.3",
        "source:/home/me/kubernetes",
        "https://builds.example.com/v1.36.3",
        "http://127.0.0.1:8080/v1.36.3",
    ],
)
def test_form_is_accepted(text: str) -> None:
    check_form(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no version of Kubernetes"),
        ("1.36.3", "did you mean v1.36.3?"),
        ("v1.36", "is no version"),
        ("latest", "is no version"),
        ("release/stable-1", "is no version"),
        ("release/latest", "is no version"),
        ("ci/latest-1.36/../x", "is no version"),
        ("v1.36.3/../../etc", "is no version"),
        ("v1.36.3\n", "is no version"),
        ("source:", "expected source:/absolute/folder"),
        ("source:kubernetes", "expected source:/absolute/folder"),
        ("source:~/kubernetes", "expected source:/absolute/folder"),
        ("source:/src/../kubernetes", "expected source:/absolute/folder"),
        ("source:/src\x1b[2J", "expected source:/absolute/folder"),
        ("file://relative/folder", "expected file:///absolute/folder"),
        ("file:folder", "expected file:///absolute/folder"),
        ("http://example.com/v1.36.3", "must be an https:// address"),
        ("https://", "must be an https:// address"),
        ("https://user:secret@[bad/v1", "is no URL"),
    ],
)
def test_other_text_is_a_usage_error(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_form(text)

    assert said in str(raised.value)
    assert "secret" not in str(raised.value)


def test_folder_of_reads_escapes() -> None:
    assert folder_of("file:///srv/my%20builds/v1.36.3") == Path("/srv/my builds/v1.36.3")


def test_folder_of_a_checkout_is_taken_as_it_is_written() -> None:
    assert checkout_of("source:/srv/my kube%20rnetes") == Path("/srv/my kube%20rnetes")


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("v1.36.3", "v1.36.3"),
        ("v1.37.0-alpha.1", "v1.37.0-alpha.1"),
        ("v1.37.0-alpha.1.23+0123456789abcd", "v1.37.0-alpha.1"),
        ("v1.35.4-gke.100", "v1.35.4"),
        ("v1.35.4+k3s1", "v1.35.4"),
        ("unknown", "unknown"),
    ],
)
def test_tests_of_the_release_fit_a_vendors_cluster(version: str, release: str) -> None:
    assert release_of(version) == release
