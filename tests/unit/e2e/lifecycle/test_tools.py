from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.tools import LaterBinaries, Version, resolve_version
from e2e.settings import read_settings
from providers.config.model import JobConfig
from providers.contracts import Binaries, ClusterSpec, Deadline
from providers.testing import FolderBinaries
from tests.unit.e2e.lifecycle.fakes import SeenDisplay
from upload.errors import ProviderError, UsageError


def test_programs_are_looked_for_when_one_is_asked_for_and_once(tmp_path: Path) -> None:
    (tmp_path / "kubelet").write_text("")
    within, asked = Deadline.after(60, "looking"), list[Deadline]()

    def resolve(deadline: Deadline) -> Binaries:
        asked.append(deadline)
        return FolderBinaries(tmp_path, "v1.36.3")

    later = LaterBinaries("v1.36.3", resolve)
    before = list(asked)

    found = later.get("kubelet", deadline=within)
    older = later.other("v1.33.5", platform="linux/arm64", deadline=within)

    assert (before, asked) == ([], [within])
    assert (found, older) == (tmp_path / "kubelet", FolderBinaries(tmp_path, "v1.33.5"))
    assert later.published("kubelet", deadline=within) is None


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Folders of versions, which say theirs without a network."""
    for version in ("v1.31.9", "v1.36.3", "v1.37.0"):
        (tmp_path / version).mkdir()
    return tmp_path


def version_of(place: Path, kubernetes: str, **cluster: str) -> Version:
    """Return what a run finds out; ``@`` stands for the folders."""
    values = {
        "job": "ci-x",
        "kubernetes": kubernetes.replace("@", place.as_uri()),
        "provider": {"name": "ubuntu"},
        "cluster": {key: value.replace("@", place.as_uri()) for key, value in cluster.items()},
        "party": "example",
        "contact": {"github": "someone", "email": "team@example.com"},
        "results": {"store": "gs://example-e2e"},
        "bucket_prefix": "example:",
        "dashboard": {"group": "provider", "name": "provider-example"},
    }
    settings = read_settings({"HOME": str(place)}, cwd=place)
    return resolve_version(JobConfig.model_validate(values), settings, SeenDisplay(), offline=True)


def test_other_versions_are_resolved_with_the_clusters_own(place: Path) -> None:
    """A marker may move on before it is used; a folder is where the programs are."""
    skewed = version_of(place, "@/v1.36.3", kubelet_version="release/stable-1.33")
    upgraded = version_of(place, "@/v1.36.3", upgrade_to="@/v1.37.0")

    assert (skewed.text, skewed.unresolved, upgraded.unresolved) == ("v1.36.3", None, None)
    assert skewed.spec == ClusterSpec(kubelet_version="v1.33.5")
    assert upgraded.spec == ClusterSpec(upgrade_to=f"{place.as_uri()}/v1.37.0")


@pytest.mark.parametrize(
    ("cluster", "error", "said"),
    [
        pytest.param(
            {"kubelet_version": "@/v1.31.9"},
            UsageError,
            "cluster.kubelet_version is v1.31.9: expected a kubelet of v1.33 to v1.36 for a cluster of v1.36.3",
            id="kubelet-too-old",
        ),
        pytest.param(
            {"kubelet_version": "v1.37.0"},
            UsageError,
            "cluster.kubelet_version is v1.37.0: expected a kubelet of v1.33 to v1.36 for a cluster of v1.36.3",
            id="kubelet-newer",
        ),
        pytest.param(
            {"upgrade_to": "@/v1.31.9"},
            UsageError,
            "cluster.upgrade_to is v1.31.9: expected v1.36.3 or newer, at most v1.37",
            id="upgrade-back",
        ),
        pytest.param(
            {"kubelet_version": "ci/latest-1.30"}, ProviderError, "ci/latest-1.30: the network is off", id="unresolved"
        ),
    ],
)
def test_versions_that_do_not_go_together_are_an_error_of_the_first_step(
    place: Path, cluster: dict[str, str], error: type[Exception], said: str
) -> None:
    found = version_of(place, "@/v1.36.3", **cluster)

    assert (found.text, type(found.unresolved)) == ("v1.36.3", error)
    assert str(found.unresolved).startswith(said)
