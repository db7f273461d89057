"""How ``kubernetes:`` of a config becomes a version: markers on a server, directories, the pinned one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from providers.contracts import Deadline
from providers.releases.sources import Platform
from providers.releases.versions import resolve
from tests.support.release_server import ReleaseServer, serving
from upload.errors import ProviderError, UsageError

CI = "v1.37.0-alpha.1.25+0123456789abcd"


@pytest.fixture
def server() -> Iterator[ReleaseServer]:
    with serving() as release:
        release.files |= {
            "/release/stable.txt": b"v1.36.5",
            "/release/stable-1.35.txt": b"v1.35.9\n",
            "/release/stable-1.34.txt": b"v1.33.1\n",
            "/release/stable-1.33.txt": b"<html>hello</html>",
            "/ci/latest.txt": CI.encode(),
            "/ci/latest-1.36.txt": b"v1.36.6-rc.0.4+abcdef",
        }
        yield release


def within() -> Deadline:
    return Deadline.after(20, "resolving")


@pytest.mark.parametrize(
    ("asked", "version", "source"),
    [
        ("pinned", "v1.36.3", "pinned"),
        ("v1.34.1", "v1.34.1", "exact"),
        ("v1.37.0-beta.1", "v1.37.0-beta.1", "exact"),
        ("release/stable", "v1.36.5", "release/stable"),
        ("release/stable-1.35", "v1.35.9", "release/stable-1.35"),
        ("ci/latest", CI, "ci/latest"),
        ("ci/latest-1.36", "v1.36.6-rc.0.4+abcdef", "ci/latest-1.36"),
    ],
)
def test_marker_becomes_the_version_that_the_server_tells(
    asked: str, version: str, source: str, server: ReleaseServer, tmp_path: Path
) -> None:
    release = resolve(asked, sources=server.sources(tmp_path), deadline=within())

    assert (release.version, release.source) == (version, source)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("release/stable-1.39", "stable-1.39.txt: HTTP 404"),
        ("release/stable-1.34", "answers 'v1.33.1'"),
        ("release/stable-1.33", "answers '<html>hello</html>'"),
    ],
    ids=["unknown", "another-minor", "no-version"],
)
def test_marker_that_cannot_be_resolved_is_an_error_and_never_an_older_version(
    marker: str, said: str, server: ReleaseServer, tmp_path: Path
) -> None:
    with pytest.raises(ProviderError) as raised:
        resolve(marker, sources=server.sources(tmp_path), deadline=within())

    assert f"{marker} cannot be resolved: " in str(raised.value)
    assert said in str(raised.value)


def test_marker_of_the_mirror_is_recorded_as_such(server: ReleaseServer, tmp_path: Path) -> None:
    nobody = ReleaseServer("http://127.0.0.1:9")

    release = resolve("release/stable", sources=nobody.sources(tmp_path, mirror=server.root), deadline=within())

    assert (release.version, release.source) == ("v1.36.5", "release/stable of the mirror")


@pytest.mark.parametrize(
    ("asked", "version"),
    [("ci/latest", "v1.36.3"), ("release/stable-1.36", "v1.36.3"), ("release/stable-1.35", "v1.35.4")],
)
def test_offline_a_marker_gives_a_pinned_version_and_says_so(
    asked: str, version: str, server: ReleaseServer, tmp_path: Path
) -> None:
    release = resolve(asked, sources=server.sources(tmp_path, offline=True), deadline=within())

    assert (release.version, release.source) == (version, f"pinned (offline, asked for {asked})")
    assert server.asked == []


def test_offline_a_marker_of_a_minor_without_pins_is_an_error(server: ReleaseServer, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"no 1\.30 is pinned; pinned: v1\.33\.5, v1\.35\.4, v1\.36\.3"):
        resolve("release/stable-1.30", sources=server.sources(tmp_path, offline=True), deadline=within())


def test_a_build_of_ci_is_fetched_from_its_own_folder(server: ReleaseServer, tmp_path: Path) -> None:
    server.put_kubernetes(CI, channel="ci")
    release = resolve("ci/latest", sources=server.sources(tmp_path), deadline=within())

    path = release.get("kubectl", deadline=within())

    assert CI.encode() in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("v1.36.4", None, "v1.36.4"),
        ("mine", "v1.37.0-mine\n", "v1.37.0-mine"),
        ("mine", "latest\n", None),
        ("mine", None, None),
        ("with space", "v1.36.1", "v1.36.1"),
    ],
    ids=["by-name", "by-file", "file-says-no-version", "no-file", "escaped-name"],
)
def test_a_folder_tells_its_version_by_name_or_by_file(
    name: str, said: str | None, expected: str | None, tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    if said is not None:
        (folder / "version").write_text(said)
    sources = ReleaseServer("http://127.0.0.1:9").sources(tmp_path / "cache")

    if expected is None:
        with pytest.raises(ProviderError) as raised:
            resolve(folder.as_uri(), sources=sources, deadline=within())
        assert raised.value.hint.startswith("name the directory after its version")
    else:
        assert resolve(folder.as_uri(), sources=sources, deadline=within()).version == expected


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    sources = ReleaseServer("http://127.0.0.1:9").sources(tmp_path / "cache")

    with pytest.raises(ProviderError, match="is no folder"):
        resolve((tmp_path / "v1.36.3").as_uri(), sources=sources, deadline=within())


def test_another_version_and_another_platform_come_from_the_same_sources(server: ReleaseServer, tmp_path: Path) -> None:
    """A cluster may have older kubelets, and machines of another kind than this one."""
    release = resolve("pinned", sources=server.sources(tmp_path), deadline=within())

    arm = release.other(platform="linux/arm64", deadline=within())
    older = arm.other("release/stable-1.35", deadline=within())

    assert arm == replace(release, sources=replace(release.sources, platform=Platform("linux", "arm64")))
    assert (older.version, older.source, older.sources) == ("v1.35.9", "release/stable-1.35", arm.sources)
    with pytest.raises(ProviderError, match=r"stable-1\.39"):
        release.other("release/stable-1.39", deadline=within())


@pytest.mark.parametrize("platform", ["linux", "linux/", "linux/arm64/v8", "../x", "linux/../amd64"])
def test_another_platform_is_a_system_and_a_processor(platform: str, server: ReleaseServer, tmp_path: Path) -> None:
    release = resolve("pinned", sources=server.sources(tmp_path), deadline=within())

    with pytest.raises(UsageError, match="is no platform"):
        release.other(platform=platform, deadline=within())
