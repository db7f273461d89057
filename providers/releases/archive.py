"""Container images in one docker-archive: a tar that ``ctr images import`` and ``docker load`` take, made of programs.

    manifest.json                 which configuration and layers each image has, and its names
    <sha256>.json                 an image's configuration
    <sha256>.tar                  a layer, uncompressed; images with the same contents share it

The same images give the same bytes, whenever and wherever they are packed.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from providers.contracts import Deadline
from providers.releases.cache import Cache, Key
from providers.releases.sources import Platform, Sources
from upload.errors import ProviderError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FORM = 1  # counts up whenever the same images shall give other bytes than before
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a layer: a copy of the file ``source``, a link to ``link``, or else a folder.

    ``path`` is relative, without ``..``. The folders above it are made, unless they have entries of their own.
    """

    path: str
    source: Path | None = None
    link: str = ""
    mode: int = 0o755


# what a layer holds: entries, or a ready uncompressed tar
Contents = tuple[Entry, ...] | Path


@dataclass(frozen=True, slots=True)
class Image:
    """One image. ``layers``: lowest first; ``user``: a number or a name, empty for root; ``path``: its ``PATH``."""

    names: tuple[str, ...]
    layers: tuple[Contents, ...]
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    path: str = PATH


@dataclass(frozen=True, slots=True)
class _Layer:
    path: Path
    sha256: str


def packed_once(name: str, version: str, images: Sequence[Image], *, sources: Sources, deadline: Deadline) -> Path:
    """Return the archive of ``images`` from the cache, where it is made at the first call: complete, or absent.

    Raises: ProviderError when the disk is full or a source cannot be read; DeadlineExceeded while another process makes it.
    """
    cache, key = Cache(sources.cache), Key(name, version, str(sources.platform), _digest(images))
    with cache.locked([key], deadline):
        if found := cache.find(key):
            return found.path
        with cache.staging(key) as folder:
            (folder / "layers").mkdir()
            pack(images, folder / name, scratch=folder / "layers", platform=sources.platform)
            return cache.adopt(key, folder / name, f"made of {len(images)} images")


def _digest(images: Sequence[Image]) -> str:
    """Return 12 hex digits that change with every image, and with every file that one is made of."""
    files = {entry.source for image in images for layer in image.layers for entry in _entries(layer) if entry.source}
    try:
        seen = {str(path): (status.st_size, status.st_mtime_ns) for path in files for status in [path.stat()]}
    except OSError as exc:
        raise ProviderError(f"{exc.filename} cannot be put into an image: {exc.strerror}") from exc
    return hashlib.sha256(f"{FORM} {images!r} {sorted(seen.items())!r}".encode()).hexdigest()[:12]


def _entries(layer: Contents) -> tuple[Entry, ...]:
    return (Entry("", layer),) if isinstance(layer, Path) else layer


def pack(images: Sequence[Image], into: Path, *, scratch: Path, platform: Platform) -> None:
    """Write ``images`` as the file ``into``. ``scratch``: an empty folder with room for all layers once more.

    Raises: OSError of the disk, and of sources that cannot be read.
    """
    layers: dict[Contents, _Layer] = {}
    for contents in (contents for image in images for contents in image.layers):
        if contents not in layers:
            layers[contents] = _layer(contents, scratch / f"{len(layers)}.tar")
    configs = [_json(_config(image, [layers[each] for each in image.layers], platform)) for image in images]
    manifest = [
        {
            "Config": f"{hashlib.sha256(config).hexdigest()}.json",
            "RepoTags": list(image.names),
            "Layers": [f"{layers[each].sha256}.tar" for each in image.layers],
        }
        for image, config in zip(images, configs, strict=True)
    ]
    with into.open("wb") as file, _tar(file) as tar:
        _add_bytes(tar, "manifest.json", _json(manifest))
        for config in dict.fromkeys(configs):
            _add_bytes(tar, f"{hashlib.sha256(config).hexdigest()}.json", config)
        for layer in {layer.sha256: layer for layer in layers.values()}.values():
            _add_file(tar, f"{layer.sha256}.tar", layer.path, mode=0o644)


def _config(image: Image, layers: Sequence[_Layer], platform: Platform) -> dict[str, Any]:
    """Return an image's configuration. Source: the OCI image specification, config.md.

    Its name stands in it: runtimes take images of the same configuration for one, and pods would show another's name.
    """
    told = {
        "Env": [f"PATH={image.path}"],
        "Entrypoint": image.entrypoint,
        "Cmd": image.cmd,
        "User": image.user,
        "WorkingDir": "/",
        "Labels": {"org.opencontainers.image.ref.name": image.names[0]},
    }
    return {
        "architecture": platform.arch,
        "os": platform.os,
        "config": {key: value for key, value in told.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.sha256}" for layer in layers]},
    }


def _layer(contents: Contents, into: Path) -> _Layer:
    if isinstance(contents, Path):
        into = contents
    else:
        with into.open("wb") as written, _tar(written) as tar:
            for entry in _with_parents(contents):
                _add_entry(tar, entry)
    with into.open("rb") as file:
        return _Layer(into, hashlib.file_digest(file, "sha256").hexdigest())


def _with_parents(contents: Sequence[Entry]) -> Iterator[Entry]:
    """Give the entries in order of their paths, each folder before what it holds."""
    entries = {entry.path: entry for entry in contents}
    for path in list(entries):
        for parent in PurePosixPath(path).parents[:-1]:
            entries.setdefault(str(parent), Entry(str(parent)))
    return (entries[path] for path in sorted(entries))


def _add_entry(tar: tarfile.TarFile, entry: Entry) -> None:
    if entry.source is not None:
        _add_file(tar, entry.path, entry.source, mode=entry.mode)
        return
    member = tarfile.TarInfo(entry.path)
    member.type = tarfile.SYMTYPE if entry.link else tarfile.DIRTYPE
    member.linkname, member.mode = entry.link, 0o777 if entry.link else entry.mode
    tar.addfile(member)


def _add_file(tar: tarfile.TarFile, name: str, path: Path, *, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.mode = mode
    with path.open("rb") as file:
        member.size = file.seek(0, 2)
        file.seek(0)
        tar.addfile(member, file)


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, BytesIO(content))


def _tar(file: BinaryIO) -> tarfile.TarFile:
    # owner root, time 0: what a TarInfo has unless told otherwise
    return tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, copybufsize=_BLOCK_BYTES)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
