from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.lab.image import PACKAGES, debootstrap_argv, digest, packages_of
from tests.support.lab.mirror import Mirror


def test_packages_are_the_first_words_without_comments() -> None:
    assert packages_of("# name   why\nsystemd  # boots\n\n  runc\n") == ("systemd", "runc")


def test_hosts_have_what_a_kubelet_needs() -> None:
    names = packages_of(PACKAGES.read_text(encoding="utf-8"))

    assert set(names) >= {
        "systemd-sysv",
        "openssh-server",
        "containerd",
        "runc",
        "containernetworking-plugins",
        "conntrack",
    }
    assert len(names) == len(set(names))


def test_the_image_comes_from_the_machines_own_mirror() -> None:
    mirror = Mirror("http://mirror.test/debian/", "noble", ("main", "universe"))

    assert debootstrap_argv(mirror, ("systemd", "runc"), Path("/image")) == (
        "debootstrap",
        "--variant=minbase",
        "--components=main,universe",
        "--include=systemd,runc",
        "noble",
        "/image",
        "http://mirror.test/debian/",
    )


CHANGES: dict[str, Callable[[Path], object]] = {
    "a package": lambda inputs: (inputs / "packages").write_text("systemd\n"),
    "the recipe": lambda inputs: (inputs / "recipe").write_text("squash()"),
    "a file": lambda inputs: (inputs / "root/etc/a").write_text("b"),
    "a new file": lambda inputs: (inputs / "root/etc/b").write_text("a"),
    "a name": lambda inputs: (inputs / "root/etc/a").rename(inputs / "root/a"),
    "a mode": lambda inputs: (inputs / "root/etc/a").chmod(0o755),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_input_of_the_image_changes_its_name_in_the_cache(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    def name() -> str:
        return digest(tmp_path / "packages", tmp_path / "root", tmp_path / "recipe")

    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "packages").write_text("runc\n")
    (tmp_path / "recipe").write_text("build()")
    (tmp_path / "root/etc/a").write_text("a")
    before = name()
    assert name() == before

    change(tmp_path)

    assert name() != before
