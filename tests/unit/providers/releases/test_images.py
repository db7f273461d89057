from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from providers.releases import archive
from providers.releases.archive import Entry, Image
from providers.releases.images import (
    LARGEST_DOCUMENT_BYTES,
    archived_names,
    component,
    image_of,
    list_argv,
    read_list,
    require_images,
)
from providers.releases.sources import IMAGE_REGISTRY, Platform
from upload.errors import ProviderError

SAID = f"""{IMAGE_REGISTRY}/kube-apiserver:v1.36.3
{IMAGE_REGISTRY}/coredns/coredns:v1.14.2
{IMAGE_REGISTRY}/pause:3.10.2
"""
NAMES = tuple(SAID.split())


def test_kubeadm_is_asked_for_one_version() -> None:
    asked = ("/bin/kubeadm", "config", "images", "list", "--kubernetes-version", "v1.36.3")

    assert list_argv("/bin/kubeadm", "v1.36.3") == asked
    assert list_argv("/bin/kubeadm", "v1.36.3", "r.test/k8s") == (*asked, "--image-repository", "r.test/k8s")


def test_its_answer_is_a_name_a_line() -> None:
    assert read_list(SAID) == NAMES


@pytest.mark.parametrize(
    "said", ["", "\n", "error: no", "pause:3.10", "r.test/pause", "r.test/p:1 --privileged", "$(x)"]
)
def test_another_answer_is_an_error(said: str) -> None:
    with pytest.raises(ProviderError, match="kubeadm config images list: "):
        read_list(said)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"{IMAGE_REGISTRY}/coredns/coredns:v1.14.2", "coredns"),
        (f"{IMAGE_REGISTRY}/kube-proxy:v1.36.3", "kube-proxy"),
        ("127.0.0.1:5000/etcd:3.6.8-0", "etcd"),
    ],
)
def test_a_name_tells_the_component(name: str, expected: str) -> None:
    assert component(name) == expected


@pytest.mark.parametrize(
    ("component_name", "place", "entrypoint"),
    [
        ("kube-scheduler:v1.36.3", "usr/local/bin/kube-scheduler", ()),
        ("etcd:3.6.8-0", "usr/local/bin/etcd", ()),
        ("coredns/coredns:v1.14.2", "coredns", ("/coredns",)),
    ],
    ids=["control-plane", "etcd", "coredns"],
)
def test_a_static_program_is_an_image(component_name: str, place: str, entrypoint: tuple[str, ...]) -> None:
    name = f"{IMAGE_REGISTRY}/{component_name}"

    assert image_of(name, Path("/p")) == Image((name,), ((Entry(place, Path("/p")),),), entrypoint)


@pytest.mark.parametrize("name", ["kube-proxy:v1.36.3", "pause:3.10.2"])
def test_a_program_that_needs_more_is_no_image(name: str) -> None:
    assert image_of(f"{IMAGE_REGISTRY}/{name}", Path("/p")) is None


def tar_of(path: Path, members: dict[str, bytes], *, compress: bool = False) -> Path:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    path.write_bytes(gzip.compress(written.getvalue()) if compress else written.getvalue())
    return path


def oci(name: str) -> bytes:
    return json.dumps({"manifests": [{"annotations": {"io.containerd.image.name": name}}, {"digest": "x"}]}).encode()


DOCKER = json.dumps([{"RepoTags": ["r.test/a:1", "r.test/a:2"]}, {"RepoTags": None}, {"RepoTags": ["r.test/b:1"]}])


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_an_archive_of_either_layout_tells_its_names(tmp_path: Path, *, compress: bool) -> None:
    both = {"blobs/sha256/x": b"x", "index.json": oci("r.test/c:1"), "manifest.json": DOCKER.encode()}

    names = archived_names(tar_of(tmp_path / "a.tar", both, compress=compress))

    assert names == {"r.test/a:1", "r.test/a:2", "r.test/b:1", "r.test/c:1"}


def test_an_archive_that_we_packed_has_its_images(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"p")
    images = [image for name in NAMES if (image := image_of(name, tmp_path / "p"))]
    (tmp_path / "layers").mkdir()
    archive.pack(images, tmp_path / "a.tar", scratch=tmp_path / "layers", platform=Platform("linux", "amd64"))

    assert require_images([tmp_path / "a.tar"], NAMES[:2]) == {tmp_path / "a.tar": frozenset(NAMES[:2])}
    with pytest.raises(ProviderError) as raised:
        require_images([tmp_path / "a.tar"], NAMES)

    assert str(raised.value) == f"{tmp_path}/a.tar lacks {IMAGE_REGISTRY}/pause:3.10.2"
    assert raised.value.hint == f"docker pull each image, then: docker save --output a.tar {' '.join(NAMES)}"


def test_several_archives_have_together_what_is_wanted(tmp_path: Path) -> None:
    first = tar_of(tmp_path / "a.tar", {"manifest.json": DOCKER.encode()})
    second = tar_of(tmp_path / "b.tar", {"blobs/sha256/x": b"x", "index.json": oci("r.test/c:1")})

    held = require_images([first, second], ["r.test/a:1", "r.test/c:1"])
    with pytest.raises(ProviderError) as raised:
        require_images([first, second], ["r.test/a:1", "r.test/d:1"])

    assert held == {first: {"r.test/a:1", "r.test/a:2", "r.test/b:1"}, second: {"r.test/c:1"}}
    assert str(raised.value) == f"{first}, {second} lacks r.test/d:1"


STRANGE: dict[str, dict[str, bytes]] = {
    "no-list": {"a": b"x"},
    "no-json": {"manifest.json": b"{"},
    "number": {"manifest.json": b"3"},
    "names-of-numbers": {"manifest.json": b'[{"RepoTags": 3}]'},
    "images-of-numbers": {"manifest.json": b"[3]"},
    "index-is-a-list": {"index.json": b"[3]"},
    "annotations-are-text": {"index.json": b'{"manifests": [{"annotations": "io.containerd.image.name"}]}'},
    "deep": {"manifest.json": b"[" * 200_000},
    "not-text": {"manifest.json": b"\xff\xfe"},
    "large": {"manifest.json": b" " * (LARGEST_DOCUMENT_BYTES + 1)},
}


@pytest.mark.parametrize("members", STRANGE.values(), ids=STRANGE)
def test_an_archive_of_another_form_is_an_error(members: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="is no archive of container images: "):
        archived_names(tar_of(tmp_path / "a.tar", members))


@pytest.mark.parametrize("cut", [0.0, 0.02, 0.3, 0.58, 0.61])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_a_cut_archive_is_an_error(tmp_path: Path, cut: float, *, compress: bool) -> None:
    path = tar_of(tmp_path / "a.tar", {"x": b"x" * 5000, "manifest.json": DOCKER.encode()}, compress=compress)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])

    with pytest.raises(ProviderError):
        archived_names(path)


def test_an_archive_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"a\.tar cannot be read: No such file"):
        archived_names(tmp_path / "a.tar")
