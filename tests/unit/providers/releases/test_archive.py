from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import Deadline
from providers.releases.archive import PATH, Contents, Entry, Image, pack, packed_once
from providers.releases.sources import Platform, Sources
from upload.errors import ProviderError

ARM = Platform("linux", "arm64")
LABEL = "org.opencontainers.image.ref.name"


def program(folder: Path, name: str, content: bytes | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(f"#!{name}\n".encode() if content is None else content)
    return path


def packed(images: list[Image], folder: Path) -> bytes:
    folder.mkdir()
    (folder / "layers").mkdir()
    pack(images, folder / "a.tar", scratch=folder / "layers", platform=ARM)
    return (folder / "a.tar").read_bytes()


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in files.items() if file}


def read_back(archive: bytes) -> list[dict[str, Any]]:
    """Return each image as a reader finds it, after checking every sum that the archive states."""
    held = members(archive)
    images = []
    for image in json.loads(held["manifest.json"]):
        config = held[image["Config"]]
        assert image["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
        layers = [held[name] for name in image["Layers"]]
        sums = [hashlib.sha256(layer).hexdigest() for layer in layers]
        assert image["Layers"] == [f"{each}.tar" for each in sums]
        told = json.loads(config)
        assert told.pop("rootfs") == {"type": "layers", "diff_ids": [f"sha256:{each}" for each in sums]}
        images.append({"names": image["RepoTags"], "config": told, "layers": [listed(layer) for layer in layers]})
    return images


def listed(layer: bytes) -> list[tuple[str, str, int, int, int, str]]:
    """Return name, kind, mode, owner, time and content or target of each member."""
    with tarfile.open(fileobj=io.BytesIO(layer), mode="r:") as tar:
        return [(m.name, m.type.decode(), m.mode, m.uid + m.gid, int(m.mtime), m.linkname or text(tar, m)) for m in tar]


def text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member)
    return file.read().decode() if file else ""


def test_an_archive_says_of_each_image_what_a_reader_needs(tmp_path: Path) -> None:
    etcd = program(tmp_path / "bin", "etcd")
    shell = program(tmp_path / "bin", "sh")
    base = (Entry("bin/sh", shell), Entry("tmp", mode=0o777))
    images = [
        Image(("r.test/etcd:3.6.8-0", "r.test/etcd:latest"), ((Entry("usr/local/bin/etcd", etcd, mode=0o4755),),)),
        Image(("r.test/x:1",), (base, (Entry("x-2", link="x"),)), ("/x",), ("pause",), "1234"),
    ]

    found = read_back(packed(images, tmp_path / "made"))

    common = {"architecture": "arm64", "os": "linux"}
    folder = ("5", 0o755, 0, 0, "")
    assert found == [
        {
            "names": ["r.test/etcd:3.6.8-0", "r.test/etcd:latest"],
            "config": {
                **common,
                "config": {"Env": [f"PATH={PATH}"], "WorkingDir": "/", "Labels": {LABEL: "r.test/etcd:3.6.8-0"}},
            },
            "layers": [
                [
                    ("usr", *folder),
                    ("usr/local", *folder),
                    ("usr/local/bin", *folder),
                    ("usr/local/bin/etcd", "0", 0o4755, 0, 0, "#!etcd\n"),
                ]
            ],
        },
        {
            "names": ["r.test/x:1"],
            "config": {
                **common,
                "config": {
                    "Env": [f"PATH={PATH}"],
                    "WorkingDir": "/",
                    "Entrypoint": ["/x"],
                    "Cmd": ["pause"],
                    "User": "1234",
                    "Labels": {LABEL: "r.test/x:1"},
                },
            },
            "layers": [
                [("bin", *folder), ("bin/sh", "0", 0o755, 0, 0, "#!sh\n"), ("tmp", "5", 0o777, 0, 0, "")],
                [("x-2", "2", 0o777, 0, 0, "x")],
            ],
        },
    ]


def test_the_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    def made(name: str, age_s: int) -> bytes:
        path = program(tmp_path / name, "p", b"same")
        path.chmod(0o600)
        os.utime(path, (age_s, age_s))
        return packed([Image(("r.test/p:1",), ((Entry("p", path),),))], tmp_path / f"{name}.made")

    assert made("one", 1_000_000) == made("another", 2_000_000)


def test_layers_are_shared_by_what_they_hold(tmp_path: Path) -> None:
    same = [program(tmp_path / name, "p", b"same") for name in ("a", "b")]
    ready = tmp_path / "ready.tar"
    with tarfile.open(ready, "w") as tar:
        tar.add(same[0], "p")
    layers: tuple[Contents, ...] = ((Entry("p", same[0]),), (Entry("p", same[1]),), ready)
    images = [Image((f"r.test/{number}:1",), (layer, ready)) for number, layer in enumerate(layers)]

    held = members(packed(images, tmp_path / "made"))

    manifest = json.loads(held["manifest.json"])
    assert [len(each["Layers"]) for each in manifest] == [2, 2, 2]
    assert len([name for name in held if name.endswith(".tar")]) == 2
    assert len({each["Config"] for each in manifest}) == 3, "images of the same contents are images of their own"
    assert ready.read_bytes() in held.values()


def test_an_archive_is_made_once_and_again_when_a_program_changes(tmp_path: Path) -> None:
    path = program(tmp_path / "bin", "p")
    images = [Image(("r.test/p:1",), ((Entry("p", path),),))]
    sources = Sources(cache=tmp_path / "cache", env={}, platform=ARM)

    def made() -> Path:
        return packed_once("images.tar", "v1.36.3", images, sources=sources, deadline=Deadline.after(10, "packing"))

    first = made()
    inode = first.stat().st_ino
    again = made()
    path.write_bytes(b"another")
    other = made()

    assert (again, again.stat().st_ino) == (first, inode)
    assert other.parent != first.parent
    assert first.parent.name.startswith("v1.36.3-linux-arm64-")
    assert [listed for listed in read_back(other.read_bytes())[0]["layers"][0] if listed[5] == "another"]
    assert list((tmp_path / "cache/tmp").iterdir()) == []


@pytest.mark.parametrize("name", ["absent", "folder"])
def test_a_program_that_cannot_be_read_leaves_no_archive(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "cache/tmp").mkdir(parents=True)
    images = [Image(("r.test/p:1",), ((Entry("p", tmp_path / name),),))]
    sources = Sources(cache=tmp_path / "cache", env={}, platform=ARM)

    with pytest.raises(ProviderError):
        packed_once("images.tar", "v1.36.3", images, sources=sources, deadline=Deadline.after(10, "packing"))

    assert list((tmp_path / "cache").glob("images.tar/*")) == []
    assert list((tmp_path / "cache/tmp").iterdir()) == []
