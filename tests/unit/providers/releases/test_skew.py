"""The version skew policy of Kubernetes, as far as configs can break it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from providers.releases.skew import kubelet_wanted, plain_version, upgrade_wanted
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
    ("cluster", "upgrade_to", "takes"),
    [
        pytest.param("v1.35.4", "v1.35.4", True, id="same"),
        pytest.param("v1.35.4", "v1.35.9", True, id="newer-patch"),
        pytest.param("v1.35.4", "v1.36.3", True, id="next-minor"),
        pytest.param("v1.35.4", "v1.36.0-rc.1", True, id="candidate-of-the-next-minor"),
        pytest.param("v1.35.4", "v1.37.0", False, id="two-minors"),
        pytest.param("v1.35.4", "v1.35.3", False, id="older-patch"),
        pytest.param("v1.35.4", "v1.34.9", False, id="older-minor"),
        pytest.param("v1.36.0", "v1.36.0-rc.1", False, id="back-to-the-candidate"),
        pytest.param("v1.36.0-rc.1", "v1.36.0", True, id="from-the-candidate"),
        pytest.param("v1.36.9", "v2.0.0", False, id="another-major"),
    ],
)
def test_upgrade_goes_to_the_same_or_the_next_minor_and_never_back(cluster: str, upgrade_to: str, takes: bool) -> None:
    assert (upgrade_wanted(cluster, upgrade_to) == "") == takes


def test_refused_upgrade_is_told_what_is_possible() -> None:
    assert upgrade_wanted("v1.35.4", "v1.37.0") == "v1.35.4 or newer, at most v1.36"


def test_versions_come_in_the_order_of_semver() -> None:
    """The list of semver.org, section 11."""
    words = ("alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1", "")
    versions = [f"v1.0.0-{word}" if word else "v1.0.0" for word in words]

    refused = [
        (new, old) for old, new in pairwise(versions) if upgrade_wanted(old, new) or not upgrade_wanted(new, old)
    ]

    assert refused == []


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
