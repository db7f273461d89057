from __future__ import annotations

from pathlib import Path

import pytest

from providers.releases.pinned import Pin, built_from, pin_for, pinned_versions, read_pin
from providers.releases.programs import MODULES, PROGRAMS
from providers.releases.sources import PINNED, PINS
from upload.errors import ProviderError


def packages_of(project: str) -> frozenset[str]:
    return frozenset(program.package for program in PROGRAMS.values() if program.project == project)


def lay(root: Path, kubernetes: str, project: str, version: str) -> Path:
    folder = root / kubernetes / project
    folder.mkdir(parents=True)
    tools = "".join(f"\t{package}\n" for package in sorted(packages_of(project)))
    required = f"require (\n\t{MODULES[project]} {version} // indirect\n)\n"
    (folder / "go.mod").write_text(
        f"module federated-e2e.test/{project}\n\ngo 1.26.0\n\ntool (\n{tools})\n\n{required}"
    )
    (folder / "go.sum").write_text("")
    return folder


def test_versions_are_listed_as_numbers_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("v1.9.0", "v1.36.3", "v1.36.10", ".making-x", "notes"):
        (tmp_path / name).mkdir()

    assert pinned_versions(tmp_path) == ("v1.9.0", "v1.36.3", "v1.36.10")
    assert pinned_versions(tmp_path / "absent") == ()


def test_a_pin_tells_version_and_least_go(tmp_path: Path) -> None:
    folder = lay(tmp_path, "v1.36.3", "etcd", "v3.6.8")

    assert pin_for(PROGRAMS["etcd"], "v1.36.3", tmp_path) == Pin(
        "etcd", folder, "v3.6.8", "1.26.0", packages_of("etcd")
    )


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


@pytest.mark.parametrize("form", ["tool {}\n", "tool (\n\t{}\n)\n"], ids=["one", "block"])
def test_a_pin_of_some_programs_is_none_of_the_others(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "v1.33.5" / "kubernetes"
    folder.mkdir(parents=True)
    kubelet = PROGRAMS["kubelet"].package
    (folder / "go.mod").write_text(
        f"module m\n\ngo 1.24.0\n\n{form.format(kubelet)}\nrequire k8s.io/kubernetes v1.33.5\n"
    )

    assert pin_for(PROGRAMS["kubelet"], "v1.33.5", tmp_path).packages == {kubelet}
    with pytest.raises(ProviderError) as raised:
        pin_for(PROGRAMS["kubectl"], "v1.33.5", tmp_path)

    assert str(raised.value) == f"kubectl v1.33.5 is not pinned, only {kubelet}"
    assert raised.value.hint == "make go-pins VERSION=v1.33.5"


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

    assert f"{MODULES[program.project]} {pin.version} h1:" in (pin.folder / "go.sum").read_text()


@pytest.mark.parametrize("kubernetes", ["v1.35.4", "v1.33.5"])
def test_older_kubelets_are_pinned(kubernetes: str) -> None:
    assert pin_for(PROGRAMS["kubelet"], kubernetes, PINS).version == kubernetes


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("kubelet", f"k8s.io/kubernetes/cmd/kubelet@{PINNED}"),
        ("ginkgo", f"github.com/onsi/ginkgo/v2/ginkgo of kubernetes {PINNED}"),
    ],
)
def test_what_a_build_is_made_of_names_the_version_of_its_module(name: str, told: str) -> None:
    assert built_from(PROGRAMS[name], pin_for(PROGRAMS[name], PINNED, PINS)) == told


def test_the_stamps_say_the_version() -> None:
    flags = " ".join(pin_for(PROGRAMS["kubectl"], PINNED, PINS).flags)

    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=36" in flags
