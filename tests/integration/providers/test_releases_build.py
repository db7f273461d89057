"""``go build`` of pins: a toy module that takes a second, and the real one that other tests need."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from providers.contracts import Deadline
from providers.fanout import Limit
from providers.releases.gobuild import GoCall, go_env, run_go
from providers.releases.programs import PROGRAMS
from providers.releases.release import Origin
from providers.releases.sources import PINNED, Platform, Progress, Sources, sources_from_env
from providers.releases.versions import resolve
from tests.support.gotools import FAKE_GCS_SERVER, go_tool
from tests.support.release_server import ReleaseServer
from upload.errors import CommandError, DeadlineExceeded, ProviderError

VERSION = "v1.99.7"
ROOT = Path(__file__).parents[3]

STAMPED = 'package version\n\nvar gitVersion = "v0.0.0-master"\n\nfunc Get() string { return gitVersion }\n'
MAIN = 'package main\n\nimport "k8s.io/component-base/version"\n\nfunc main() { print("NAME ", version.Get()) }\n'
TEST_MAIN = """package e2e

import (
	"os"
	"testing"

	"k8s.io/component-base/version"
)

func TestMain(m *testing.M) {
	os.Stderr.WriteString("e2e.test " + version.Get())
}
"""


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    """Pins of a Kubernetes whose modules lie beside the go.mod, so that no proxy is needed."""
    folder = tmp_path / "go" / VERSION / "kubernetes"
    for name in ("kubectl", "kube-scheduler"):
        (folder / "src/cmd" / name).mkdir(parents=True)
        (folder / "src/cmd" / name / "main.go").write_text(MAIN.replace("NAME", name))
    (folder / "src/test/e2e").mkdir(parents=True)
    (folder / "src/test/e2e/e2e.go").write_text("package e2e\n")
    (folder / "src/test/e2e/e2e_test.go").write_text(TEST_MAIN)
    (folder / "base/version").mkdir(parents=True)
    (folder / "base/version/version.go").write_text(STAMPED)
    (folder / "base/go.mod").write_text("module k8s.io/component-base\n\ngo 1.21\n")
    (folder / "src/go.mod").write_text("module k8s.io/kubernetes\n\ngo 1.21\n\nrequire k8s.io/component-base v0.99.7\n")
    (folder / "go.mod").write_text(
        "module federated-e2e.test/kubernetes\n\ngo 1.21\n\n"
        "tool (\n\tk8s.io/kubernetes/cmd/kubectl\n\tk8s.io/kubernetes/cmd/kube-scheduler\n\tk8s.io/kubernetes/test/e2e\n)\n\n"
        f"require k8s.io/kubernetes {VERSION}\n\nrequire k8s.io/component-base v0.99.7\n\n"
        "replace (\n\tk8s.io/kubernetes => ./src\n\tk8s.io/component-base => ./base\n)\n"
    )
    (folder / "go.sum").write_text("")
    return tmp_path / "go"


@pytest.fixture
def sources(tmp_path: Path, pins: Path) -> Sources:
    dead = ReleaseServer("http://127.0.0.1:9").sources(tmp_path / "cache", platform=Platform.here())
    return replace(dead, pins=pins, env={**os.environ, "GOPROXY": "off", "GOFLAGS": "-mod=vendor"})


def within(seconds: float = 120.0) -> Deadline:
    return Deadline.after(seconds, "building")


BUILDING = f"""
import sys
from pathlib import Path
from providers.contracts import Deadline
from providers.releases.sources import Sources
from providers.releases.versions import resolve
cache, pins, path = sys.argv[1:]
sources = Sources(cache=Path(cache), env={{"PATH": path}}, offline=True, pins=Path(pins))
deadline = Deadline.after(60, "building")
resolve("{VERSION}", sources=sources, deadline=deadline).get("kubectl", deadline=deadline)
"""


def building(sources: Sources, path: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", BUILDING, str(sources.cache), str(sources.pins), path]
    return subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)


def fake_go(folder: Path, body: str) -> str:
    """Return a PATH with a ``go`` that is a shell script."""
    folder.mkdir()
    go = folder / "go"
    go.write_text(f'#!/bin/sh\n[ "$1 $2" = "env GOVERSION" ] && echo go1.99.0 && exit 0\n{body}\n')
    go.chmod(go.stat().st_mode | stat.S_IXUSR)
    return f"{folder}:/usr/bin:/bin"


def test_pinned_programs_are_built_stamped_and_kept(sources: Sources) -> None:
    told: list[Progress] = []
    names = ("kubectl", "kube-scheduler", "e2e.test")
    release = resolve(VERSION, sources=replace(sources, progress=told.append), deadline=within())
    before = release.origin("kubectl", deadline=within())

    built = release.ensure(names, deadline=within())
    said = {
        name: subprocess.run([path], capture_output=True, timeout=20, check=True).stderr for name, path in built.items()
    }
    after = release.origin("kubectl", deadline=within())

    assert said == {name: f"{name} {VERSION}".encode() for name in names}
    assert (told[-1].unit, told[-1].program, told[-1].done) == ("packages", ", ".join(names), told[-1].total)
    assert (before.place, after) == (
        "go build",
        Origin("cache", f"{built['kubectl']} (go build of k8s.io/kubernetes/cmd/kubectl@{VERSION})"),
    )


@pytest.mark.slow  # half a minute once on a machine: the standard library of the other platform
def test_machines_of_another_kind_get_programs_built_for_them(sources: Sources) -> None:
    release = resolve(VERSION, sources=sources, deadline=within())
    arm = release.other(platform="linux/arm64", deadline=within())

    built = arm.get("kubectl", deadline=within())

    assert built.read_bytes()[18:20] == b"\xb7\x00"  # EM_AARCH64
    assert built.parent.name.startswith(f"{VERSION}-linux-arm64-go-")
    assert arm.published("kubectl", deadline=within()) is None
    assert release.get("kubectl", deadline=within()) != built


def test_another_pin_is_another_entry(sources: Sources, pins: Path) -> None:
    release = resolve(VERSION, sources=sources, deadline=within())
    first = release.get("kubectl", deadline=within())
    (pins / VERSION / "kubernetes" / "go.sum").write_text("\n")

    assert release.get("kubectl", deadline=within()) != first


def test_a_build_that_fails_shows_what_go_said(sources: Sources, pins: Path) -> None:
    (pins / VERSION / "kubernetes/src/cmd/kubectl/main.go").write_text("package main\n\nfunc main() { undefined() }\n")

    with pytest.raises(ProviderError, match=r"(?s)official: .*go build: go ended with code 1.*undefined: undefined"):
        resolve(VERSION, sources=sources, deadline=within()).get("kubectl", deadline=within())


def test_a_pin_that_needs_a_newer_go_says_so(sources: Sources, pins: Path) -> None:
    go_mod = pins / VERSION / "kubernetes/go.mod"
    go_mod.write_text(go_mod.read_text().replace("go 1.21", "go 1.999.0"))

    with pytest.raises(
        ProviderError, match=rf"Go >= 1\.999\.0 is needed for kubernetes {VERSION}, found 1\."
    ) as raised:
        resolve(VERSION, sources=sources, deadline=within()).get("kubectl", deadline=within())

    assert raised.value.hint.startswith("install a newer Go")


def test_a_build_past_its_deadline_is_killed_with_its_children(sources: Sources, tmp_path: Path) -> None:
    path = fake_go(tmp_path / "bin", f"trap '' TERM; sleep 300 & echo $! > {tmp_path}/child; sleep 300")
    release = resolve(VERSION, sources=replace(sources, env={"PATH": path}), deadline=within())
    began = time.monotonic()

    with pytest.raises(DeadlineExceeded):
        release.get("kubectl", deadline=within(1.5))

    assert time.monotonic() - began < 14
    assert_gone(int((tmp_path / "child").read_text()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_ending_us_ends_the_build(number: signal.Signals, sources: Sources, tmp_path: Path) -> None:
    chatty = f"echo $$ > {tmp_path}/child.new; mv {tmp_path}/child.new {tmp_path}/child; while sleep 0.1; do echo a/package >&2 || exit; done"
    path = fake_go(tmp_path / "bin", chatty)
    with building(sources, path) as process:
        wait_for(tmp_path / "child")
        process.send_signal(number)
        process.wait(20)

    assert_gone(int((tmp_path / "child").read_text()))
    assert list((tmp_path / "cache").glob("kubectl/*")) == []


def test_two_processes_build_it_once(sources: Sources, tmp_path: Path) -> None:
    builder = f'[ "$1" = list ] && exit 0\n[ "$1" = build ] && echo built >> {tmp_path}/log && sleep 1 && echo x > "$4/kubectl"'
    path = fake_go(tmp_path / "bin", builder)
    with building(sources, path) as first, building(sources, path) as second:
        codes = first.wait(60), second.wait(60)

    assert codes == (0, 0)
    assert (tmp_path / "log").read_text() == "built\n"


def test_go_gets_the_proxy_of_the_environment_and_none_of_its_build_flags(tmp_path: Path) -> None:
    path = fake_go(tmp_path / "bin", 'echo "$GOPROXY $GOFLAGS $GOTOOLCHAIN $GOWORK $CGO_ENABLED $GOOS"')
    env = {"PATH": path, "GOPROXY": "https://proxy.test", "GOFLAGS": "-mod=vendor", "GOWORK": "x", "GOOS": "plan9"}

    def said(*, offline: bool) -> str:
        call = GoCall(
            f"{tmp_path}/bin/go",
            tmp_path,
            go_env(env, platform=Platform("linux", "arm64"), offline=offline),
            Limit(within()),
        )
        return run_go(("go", "x", "y"), call)

    fixed = "-mod=readonly -buildvcs=false local off 0 linux\n"
    assert said(offline=False) == f"https://proxy.test {fixed}"
    assert said(offline=True) == f"off {fixed}"


def test_a_full_disk_of_go_names_its_cache(tmp_path: Path) -> None:
    path = fake_go(tmp_path / "bin", "echo 'write /x: no space left on device' >&2; exit 1")
    call = GoCall(f"{tmp_path}/bin/go", tmp_path, {"PATH": path}, Limit(within()))

    with pytest.raises(CommandError) as raised:
        run_go(("go", "build", "x"), call)

    assert "go env GOCACHE" in raised.value.hint


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_tool_is_built_from_its_pin(tmp_path: Path) -> None:
    sources = Sources(cache=tmp_path / "cache", env=dict(os.environ))

    path = go_tool(FAKE_GCS_SERVER, sources)["fake-gcs-server"]

    said = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=False)
    assert "flag provided but not defined" in said.stderr or said.returncode == 0
    assert go_tool(FAKE_GCS_SERVER, sources) == {"fake-gcs-server": path}


TOLD = {
    "kubectl": ("version", "--client"),
    "kubeadm": ("version", "--output", "short"),
    "coredns": ("-version",),
    "ginkgo": ("version",),
}


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("version", "programs"), [(PINNED, tuple(PROGRAMS)), ("v1.35.4", ("kubelet",)), ("v1.33.5", ("kubelet",))]
)
def test_the_programs_of_a_cluster_are_had_from_their_pins(version: str, programs: tuple[str, ...]) -> None:
    """The first run on a machine builds them, which takes up to half an hour."""
    sources = sources_from_env(os.environ)
    paths = resolve(version, sources=sources, deadline=within(3500)).ensure(programs, deadline=within(3500))
    said = {
        name: subprocess.run(
            (path, *TOLD.get(name, ("--version",))), capture_output=True, text=True, timeout=60, check=True
        ).stdout
        for name, path in paths.items()
    }
    foreign = {"etcd", "kwok", "kwokctl", "coredns", "ginkgo"}

    assert [name for name in said if name not in foreign and version not in said[name]] == []
    assert [name for name in foreign & set(said) if not re.search(r"\d+\.\d+\.\d+", said[name])] == []


def wait_for(path: Path) -> None:
    give_up = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < give_up, f"{path} did not appear"
        time.sleep(0.05)


def assert_gone(pid: int) -> None:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")
