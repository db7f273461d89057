"""The container images of a cluster on the lab's hosts, in one archive: made of programs, since no registry is reached.

They have the names of the published images and do what those do, as far as kubeadm, our suite and upstream's tests go.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path

from e2e.plugin.images import Images
from providers.contracts import Deadline
from providers.fanout import Limit
from providers.releases.archive import PATH, Entry, Image, packed_once
from providers.releases.cache import Cache, Key
from providers.releases.gobuild import GoCall, find_go, go_env, run_go
from providers.releases.images import component, image_of, list_argv, read_list
from providers.releases.pinned import pin_for
from providers.releases.programs import MODULES, PROGRAMS
from providers.releases.sources import IMAGE_REGISTRY, Sources
from providers.releases.versions import resolve
from tests.support.gotools import AGNHOST, go_tool
from tests.support.lab.command import run
from tests.support.lab.layer import BUSYBOX, debian_layer

ARCHIVE = "lab-images.tar"
MAKE_S = 2400.0
IN_IMAGES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd", "coredns")
# the images that upstream's tests use, but for those that other parties publish
_TEST_IMAGE = re.compile(r'Config\{list\.PromoterE2eRegistry, "([a-z0-9/-]+)", "([\w.-]+)"\}')


def lab_images(kubernetes: str, sources: Sources) -> Path:
    """Return the archive of all images that can be made for a version, for ``ctr --namespace k8s.io images import``.

    ``kubernetes``: as in a config. The first call on a machine builds what they are made of: ten minutes or more.
    Needs root. Raises: ProviderError, DeadlineExceeded.
    """
    deadline = Deadline.after(MAKE_S, "making the images of the lab")
    release = resolve(kubernetes, sources=sources, deadline=deadline)
    programs = release.ensure(("kubeadm", *IN_IMAGES), deadline=deadline)
    names = read_list(run(*list_argv(str(programs["kubeadm"]), release.version)))
    module = _kubernetes_module(release.version, sources, deadline)
    tests = upstream_names((module / "test/utils/image/manifest.go").read_text(encoding="utf-8"))
    parts = {
        **programs,
        **go_tool(AGNHOST, sources),
        "pause": pause(module, sources, deadline),
        "layer": debian_layer(sources, deadline),
    }
    wanted = dict.fromkeys((*names, *astuple(Images.upstream()), *tests))
    images = made_of(wanted, parts, module)
    return packed_once(ARCHIVE, release.version, images, sources=sources, deadline=deadline)


def upstream_names(manifest: str) -> tuple[str, ...]:
    """Return the names of images in the text of upstream's ``test/utils/image/manifest.go``."""
    return tuple(f"{IMAGE_REGISTRY}/e2e-test-images/{name}:{tag}" for name, tag in _TEST_IMAGE.findall(manifest))


def made_of(names: Iterable[str], parts: Mapping[str, Path], module: Path) -> list[Image]:
    """Return an image for each name that can be made. ``module``: Kubernetes's own, for files of its test images."""
    images = []
    for name in names:
        what = component(name)
        alone = image_of(name, parts[what]) if what in parts else None
        if made := alone or _composed(name, what, parts, module):
            images.append(made)
    return images


def _composed(name: str, what: str, parts: Mapping[str, Path], module: Path) -> Image | None:
    """Return an image of more than one program; None for one that nobody here can make."""
    base, tests = parts["layer"], module / "test/images"
    agnhost = (
        Entry("agnhost", parts["agnhost"]),
        Entry("agnhost-2", link="agnhost"),
        Entry("localhost.crt", tests / "agnhost/porter/localhost.crt", mode=0o644),
        Entry("localhost.key", tests / "agnhost/porter/localhost.key", mode=0o644),
        Entry("uploads"),
    )
    match what:
        case "pause":
            return Image((name,), ((Entry("pause", parts["pause"]),),), ("/pause",), user="65535:65535")
        case "kube-proxy":
            return Image((name,), (base, (Entry("usr/local/bin/kube-proxy", parts["kube-proxy"]),)))
        case "agnhost":
            return Image((name,), (base, agnhost), ("/agnhost",), ("pause",))
        case "nautilus" | "kitten":
            html = tests / what / "html"
            files = (f"{what}.jpg", "data.json")
            shown = tuple(Entry(file, html / file, mode=0o644) for file in files)
            return Image((name,), (base, agnhost, shown), ("/agnhost",), ("test-webserver",))
        case "busybox":
            return Image((name,), (base,), cmd=("sh",), path=f"{BUSYBOX}:{PATH}")
        case "nginx":
            return Image((name,), (base,), cmd=("nginx", "-g", "daemon off;"))
        case "nonroot":
            return Image((name,), (base,), cmd=("bash",), user="1234")
        case "glibc-dns-testing":
            return Image((name,), (base,), cmd=("bash",))
        case "nonewprivs":
            return Image((name,), (base, (Entry("usr/local/bin/nnp", parts["nnp"], mode=0o6755),)), cmd=("nnp",))
    return None


def pause(module: Path, sources: Sources, deadline: Deadline) -> Path:
    """Return the program that keeps a pod's namespaces, compiled from Kubernetes's C source for this machine."""
    source = module / "build/pause/linux/pause.c"
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    cache, key = Cache(sources.cache), Key("pause", version, str(sources.platform), "gcc")
    with cache.locked([key], deadline):
        if found := cache.find(key):
            return found.path
        with cache.staging(key) as folder:
            run("gcc", "-Os", "-Wall", "-static", "-s", "-DVERSION=lab", "-o", str(folder / "pause"), str(source))
            return cache.adopt(key, folder / "pause", "gcc of build/pause/linux/pause.c")


def _kubernetes_module(version: str, sources: Sources, deadline: Deadline) -> Path:
    """Return the folder of Kubernetes's own module, as the pin of that version verifies it."""
    limit = Limit(deadline)
    folder = pin_for(PROGRAMS["kubeadm"], version, sources.pins).folder
    call = GoCall(find_go(sources.env, limit).path, folder, go_env(sources.env, offline=sources.offline), limit)
    told = json.loads(run_go(("go", "mod", "download", "-json", MODULES["kubernetes"]), call))
    return Path(told["Dir"])
