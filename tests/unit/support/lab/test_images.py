from __future__ import annotations

from pathlib import Path

import pytest

from providers.releases.archive import PATH, Entry
from providers.releases.sources import IMAGE_REGISTRY
from tests.support.lab.image import packages_of
from tests.support.lab.images import IN_IMAGES, made_of, upstream_names
from tests.support.lab.layer import BUSYBOX, PACKAGES

TESTS = f"{IMAGE_REGISTRY}/e2e-test-images"
MODULE = Path("/module")
PARTS = {name: Path("/bin") / name for name in (*IN_IMAGES, "agnhost", "nnp", "pause", "layer")}
BASE = PARTS["layer"]
MANIFEST = """
	configs[AgnhostPrev] = Config{list.PromoterE2eRegistry, "agnhost", "2.55"}
	configs[Etcd] = Config{list.GcEtcdRegistry, "etcd", "3.6.8-0"}
	configs[NodePerfNpbEp] = Config{list.PromoterE2eRegistry, "node-perf/npb-ep", "1.6.0"}
	configs[BusyBox] = Config{list.PromoterE2eRegistry, "busybox", "1.37.0-1"}
"""


def test_the_manifest_tells_the_images_of_upstreams_tests() -> None:
    assert upstream_names(MANIFEST) == (
        f"{TESTS}/agnhost:2.55",
        f"{TESTS}/node-perf/npb-ep:1.6.0",
        f"{TESTS}/busybox:1.37.0-1",
    )


def test_what_cannot_be_made_is_left_out() -> None:
    assert made_of([f"{TESTS}/perl:5.26", f"{TESTS}/node-perf/npb-ep:1.6.0"], PARTS, MODULE) == []


@pytest.mark.parametrize(
    ("name", "top", "started"),
    [
        ("kube-apiserver:v1.36.3", "usr/local/bin/kube-apiserver", ((), (), "", PATH)),
        ("coredns/coredns:v1.14.2", "coredns", (("/coredns",), (), "", PATH)),
        ("pause:3.10.2", "pause", (("/pause",), (), "65535:65535", PATH)),
    ],
    ids=["control-plane", "coredns", "pause"],
)
def test_static_programs_are_images_alone(name: str, top: str, started: tuple[object, ...]) -> None:
    (image,) = made_of([f"{IMAGE_REGISTRY}/{name}"], PARTS, MODULE)

    assert image.layers == ((Entry(top, PARTS[Path(top).name]),),)
    assert (image.entrypoint, image.cmd, image.user, image.path) == started


@pytest.mark.parametrize(
    ("name", "above", "started"),
    [
        (f"{IMAGE_REGISTRY}/kube-proxy:v1.36.3", ["usr/local/bin/kube-proxy"], ((), (), "", PATH)),
        (f"{TESTS}/busybox:1.37.0-1", None, ((), ("sh",), "", f"{BUSYBOX}:{PATH}")),
        (f"{TESTS}/nginx:1.27-0", None, ((), ("nginx", "-g", "daemon off;"), "", PATH)),
        (f"{TESTS}/nonroot:1.5", None, ((), ("bash",), "1234", PATH)),
        (f"{TESTS}/nonewprivs:1.4", ["usr/local/bin/nnp"], ((), ("nnp",), "", PATH)),
        (
            f"{TESTS}/agnhost:2.63.0",
            ["agnhost", "agnhost-2", "localhost.crt", "localhost.key", "uploads"],
            (("/agnhost",), ("pause",), "", PATH),
        ),
    ],
    ids=["kube-proxy", "busybox", "nginx", "nonroot", "nonewprivs", "agnhost"],
)
def test_the_others_lie_over_the_debian_layer(name: str, above: list[str] | None, started: tuple[object, ...]) -> None:
    (image,) = made_of([name], PARTS, MODULE)

    held = [[entry.path for entry in layer] for layer in image.layers if not isinstance(layer, Path)]
    assert (image.layers[0], held) == (BASE, [] if above is None else [above])
    assert (image.entrypoint, image.cmd, image.user, image.path) == started


def test_images_on_agnhost_share_its_layers() -> None:
    old, new, web = made_of(
        [f"{TESTS}/{name}" for name in ("agnhost:2.55", "agnhost:2.63.0", "kitten:1.8")], PARTS, MODULE
    )

    assert old.layers == new.layers == web.layers[:2]
    assert web.layers[2] == (
        Entry("kitten.jpg", MODULE / "test/images/kitten/html/kitten.jpg", mode=0o644),
        Entry("data.json", MODULE / "test/images/kitten/html/data.json", mode=0o644),
    )
    assert web.cmd == ("test-webserver",)


def test_the_layer_has_what_kube_proxy_and_the_tests_call() -> None:
    names = packages_of(PACKAGES.read_text(encoding="utf-8"))

    assert set(names) >= {"iptables", "nftables", "conntrack", "kmod", "curl", "bind9-dnsutils", "busybox-static"}
    assert len(names) == len(set(names))
