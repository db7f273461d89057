"""The version skew policy of Kubernetes, as far as configs can break it."""

from __future__ import annotations

import pytest

from providers.releases.skew import kubelet_wanted, plain_version
from providers.releases.sources import PINNED


@pytest.mark.parametrize(
    ("cluster", "kubelet", "takes"),
    [
        pytest.param("v1.36.3", "v1.36.3", True, id="same"),
        pytest.param("v1.36.3", "v1.36.0", True, id="older-patch"),
        pytest.param("v1.36.3", "v1.36.9", True, id="newer-patch"),
        pytest.param("v1.36.3", "v1.33.5", True, id="three-minors-older"),
        pytest.param("v1.36.3", "v1.32.9", False, id="four-minors-older"),
        pytest.param("v1.36.3", "v1.37.0-alpha.1", False, id="newer"),
        pytest.param("v1.37.0-alpha.1.23+abcdef01234567-dirty", "v1.34.2", True, id="checkout"),
        pytest.param("v1.2.0", "v1.0.0", True, id="first-minors"),
        pytest.param("v2.0.0", "v1.36.0", False, id="another-major"),
    ],
)
def test_kubelets_are_at_most_three_minors_older_and_never_newer(cluster: str, kubelet: str, takes: bool) -> None:
    wanted = kubelet_wanted(cluster, kubelet)

    assert (wanted == "") == takes


def test_refused_kubelet_is_told_which_ones_are_taken() -> None:
    assert kubelet_wanted("v1.36.3", "v1.32.0") == "a kubelet of v1.33 to v1.36 for a cluster of v1.36.3"


@pytest.mark.parametrize(
    ("kubernetes", "plain"),
    [
        ("v1.36.3", "v1.36.3"),
        ("pinned", PINNED),
        ("release/stable-1.36", ""),
        ("ci/latest", ""),
        ("file:///srv/v1.36.3", ""),
        ("source:/srv/v1.36.3", ""),
    ],
)
def test_only_plain_versions_are_known_without_asking(kubernetes: str, plain: str) -> None:
    assert plain_version(kubernetes) == plain
