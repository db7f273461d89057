from __future__ import annotations

from pathlib import Path

import pytest

from providers.releases.pinned import Pin, pin_for, pinned_versions, read_pin
from providers.releases.programs import MODULES, PROGRAMS
from providers.releases.sources import PINNED, PINS
from upload.errors import ProviderError


def lay(root: Path, kubernetes: str, project: str, version: str) -> Path:
    folder = root / kubernetes / project
    folder.mkdir(parents=True)
    text = f"module federated-e2e.test/{project}\n\ngo 1.26.0\n\nrequire (\n\t{MODULES[project]} {version} // indirect\n)\n"
    (folder / "go.mod").write_text(text)
    (folder / "go.sum").write_text("")
    return folder


def test_versions_are_listed_as_numbers_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("v1.9.0", "v1.36.3", "v1.36.10", ".making-x", "notes"):
        (tmp_path / name).mkdir()

    assert pinned_versions(tmp_path) == ("v1.9.0", "v1.36.3", "v1.36.10")
    assert pinned_versions(tmp_path / "absent") == ()


def test_a_pin_tells_version_and_least_go(tmp_path: Path) -> None:
    folder = lay(tmp_path, "v1.36.3", "etcd", "v3.6.8")

    assert pin_for(PROGRAMS["etcd"], "v1.36.3", tmp_path) == Pin("etcd", folder, "v3.6.8", "1.26.0")


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [("v1.35.4", "v3.6.6"), ("v1.35.9", "v3.6.6"), ("v1.36.0", "v3.6.8"), ("v1.99.0", "v3.6.8"), ("v1.30.0", "v3.6.8")],
    ids=["this-version", "same-minor", "other-patch", "newer", "older"],
)
def test_etcd_comes_from_the_nearest_pins(kubernetes: str, expected: str, tmp_path: Path) -> None:
    lay(tmp_path, "v1.35.4", "etcd", "v3.6.6")
    lay(tmp_path, "v1.36.3", "etcd", "v3.6.8")

    assert pin_for(PROGRAMS["etcd"], kubernetes, tmp_path).version == expected


def test_a_project_that_a_version_does_not_pin_comes_from_another_one(tmp_path: Path) -> None:
    lay(tmp_path, "v1.35.4", "kubernetes", "v1.35.4")
    lay(tmp_path, "v1.36.3", "kwok", "v0.8.0")

    assert pin_for(PROGRAMS["kwok"], "v1.35.4", tmp_path).version == "v0.8.0"


def test_kubernetes_comes_from_its_own_pins_only(tmp_path: Path) -> None:
    lay(tmp_path, "v1.36.3", "kubernetes", "v1.36.3")

    with pytest.raises(ProviderError) as raised:
        pin_for(PROGRAMS["kubectl"], "v1.36.4", tmp_path)

    assert str(raised.value) == "v1.36.4 is not pinned; pinned: v1.36.3"
    assert raised.value.hint == "make go-pins VERSION=v1.36.4"


@pytest.mark.parametrize("change", ["go.mod", "go.sum", "version"])
def test_the_digest_changes_with_whatever_changes_the_program(change: str, tmp_path: Path) -> None:
    folder = lay(tmp_path, "v1.36.3", "kwok", "v0.8.0")
    before = read_pin(folder, "kwok", MODULES["kwok"]).digest
    if change == "version":
        (folder / "go.mod").write_text((folder / "go.mod").read_text().replace("v0.8.0", "v0.8.1"))
    else:
        with (folder / change).open("a") as file:
            file.write("\n")

    assert read_pin(folder, "kwok", MODULES["kwok"]).digest != before


def test_a_go_mod_without_the_module_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26\n")

    with pytest.raises(ProviderError, match=r"does not require k8s\.io/kubernetes"):
        read_pin(tmp_path, "kubernetes", "k8s.io/kubernetes")


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_of_the_default_version_is_pinned_with_its_sums(name: str) -> None:
    program = PROGRAMS[name]
    pin = pin_for(program, PINNED, PINS)

    assert program.package in (pin.folder / "go.mod").read_text()
    assert f"{MODULES[program.project]} {pin.version} h1:" in (pin.folder / "go.sum").read_text()


def test_the_stamps_say_the_version() -> None:
    flags = " ".join(pin_for(PROGRAMS["kubectl"], PINNED, PINS).flags)

    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=36" in flags
