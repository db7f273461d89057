"""Programs of a checkout of Kubernetes, built by the real ``go`` from a small tree; see tests/support/checkout.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from providers.contracts import Deadline
from providers.releases.built import Built
from providers.releases.checkout import Checkout, read_checkout
from providers.releases.release import Origin, Release
from providers.releases.sources import PINNED, Progress, Sources, sources_from_env
from providers.releases.versions import resolve
from tests.support.checkout import ARCHIVE, git, make_checkout, make_real_checkout, make_tree
from tests.support.release_server import ReleaseServer
from upload.errors import DeadlineExceeded, ProviderError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_checkout(tmp_path / "kubernetes")


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    dead = ReleaseServer("http://127.0.0.1:9").sources(tmp_path / "cache")
    # what a person's shell may hold, and what would build something else
    loud = {"GOPROXY": "off", "GOFLAGS": "-mod=mod -race", "GOWORK": "off", "GOOS": "plan9", "CGO_ENABLED": "1"}
    return replace(dead, env={**os.environ, **loud}, built=tmp_path / "run" / "built")


def within(seconds: float = 120.0) -> Deadline:
    return Deadline.after(seconds, "building")


def built_of(tree: Path, sources: Sources) -> Built:
    found = resolve(f"source:{tree}", sources=sources, deadline=within())
    assert isinstance(found, Built)
    return found


def said(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, timeout=20, check=True).stdout.strip()


def content(tree: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_programs_are_built_and_stamped_as_upstream_does_and_nothing_is_written_into_the_tree(
    tmp_path: Path, sources: Sources
) -> None:
    tree = make_checkout(tmp_path / "kubernetes", "v1.37.0-alpha.1")
    git(tree, "commit", "-q", "--allow-empty", "-m", "more")
    commit, before = git(tree, "rev-parse", "HEAD"), content(tree)
    version, told = f"v1.37.0-alpha.1.1+{commit[:14]}", list[Progress]()

    built = built_of(tree, replace(sources, progress=told.append))
    paths = built.ensure(["kubectl", "kube-apiserver"], deadline=within())

    stamp = f"{version} 1.37+ clean {commit} 1970-01-01T00:00:00Z vendored"
    assert (built.version, built.source) == (version, "source")
    assert {name: said(path) for name, path in paths.items()} == {
        "kubectl": f"kubectl {stamp}",
        "kube-apiserver": f"kube-apiserver {stamp}",
    }
    assert sources.built is not None
    assert {path.relative_to(sources.built).parts[0] for path in paths.values()} == {f"{version}-linux-amd64"}
    assert sorted(p.name for p in paths["kubectl"].parent.iterdir()) == ["kube-apiserver", "kubectl"]
    assert (told[-1].unit, told[-1].done) == ("packages", told[-1].total)
    assert content(tree) == before
    assert list(sources.cache.glob("k*")) == []


def test_upstreams_own_tests_are_built_of_the_tree_too(tree: Path, sources: Sources) -> None:
    paths = built_of(tree, sources).ensure(["e2e.test", "ginkgo"], deadline=within())

    told = subprocess.run([paths["ginkgo"]], capture_output=True, text=True, timeout=20, check=True).stderr
    assert said(paths["e2e.test"]).startswith("e2e.test v1.36.3 1.36 clean ")
    assert told == "ginkgo\n"


def test_what_is_changed_is_built_by_the_next_run_and_not_in_the_middle_of_one(
    tree: Path, sources: Sources, tmp_path: Path
) -> None:
    first = built_of(tree, sources)
    before = said(first.get("kubectl", deadline=within()))
    (tree / "vendor/example.com/outside/outside.go").write_text('package outside\n\nconst Word = " changed"\n')

    again = said(first.get("kubectl", deadline=within()))
    next_run = built_of(tree, replace(sources, built=tmp_path / "next"))
    after = said(next_run.get("kubectl", deadline=within()))

    assert before == again
    assert (before.endswith(" vendored"), after.endswith(" changed")) == (True, True)
    assert (first.version, next_run.version) == ("v1.36.3", "v1.36.3-dirty")


def test_tree_that_became_another_version_is_not_mixed_into_a_run(tree: Path, sources: Sources) -> None:
    built = built_of(tree, sources)
    built.get("kubectl", deadline=within())
    (tree / "cmd/kubectl/new.go").write_text("package main\n")

    with pytest.raises(ProviderError) as raised:
        built.get("kubelet", deadline=within())

    assert str(raised.value) == f"{tree} is v1.36.3-dirty by now and was v1.36.3 when the run began"
    assert said(built.get("kubectl", deadline=within())).startswith("kubectl v1.36.3 ")


@pytest.mark.parametrize(
    ("place", "source", "line"),
    [
        pytest.param(
            "cmd/kubelet/main.go",
            "package main\n\nfunc main() { nonsense() }\n",
            "cmd/kubelet/main.go:3:15: undefined: nonsense",
            id="type",
        ),
        pytest.param(
            "staging/src/k8s.io/component-base/version/base.go",
            "package version\n\nfunc Get() string { return 1 }\n",
            "staging/src/k8s.io/component-base/version/base.go:3:28: cannot use 1 (untyped int constant) as string "
            "value in return statement",
            id="staging-module",
        ),
        pytest.param(
            "cmd/kubelet/main.go",
            "package main\n\nfunc main( {}\n",
            "cmd/kubelet/main.go:3:12: syntax error: unexpected {, expected )",
            id="syntax",
        ),
    ],
)
def test_compile_error_is_told_in_the_compilers_own_lines(
    tree: Path, sources: Sources, place: str, source: str, line: str
) -> None:
    (tree / place).write_text(source)
    built = built_of(tree, sources)

    with pytest.raises(ProviderError) as raised:
        built.ensure(["kubelet", "kubectl"], deadline=within())

    first, *rest = str(raised.value).splitlines()
    assert first == f"{tree} does not build: {line}"
    assert line in rest
    assert raised.value.hint == f"cd {tree} && go build ./cmd/..."
    assert sources.built is not None
    assert [path for path in sources.built.rglob("*") if path.is_file()] == []


def test_error_is_not_pushed_out_by_what_go_builds_beside_it(tree: Path, sources: Sources) -> None:
    """``go build`` goes on with what does not depend on the broken package, and ``-v`` tells of each."""
    for number in range(60):
        folder = tree / "pkg" / f"p{number}"
        folder.mkdir(parents=True)
        (folder / "p.go").write_text(f'package p{number}\n\nconst New = "{uuid4()}"\n')  # or Go's cache has it
    imports = "\n".join(f'import _ "k8s.io/kubernetes/pkg/p{number}"' for number in range(60))
    (tree / "cmd/kubectl/more.go").write_text(f"package main\n\n{imports}\n")
    (tree / "vendor/example.com/outside/outside.go").write_text("package outside\n\nconst Word = nonsense\n")

    with pytest.raises(ProviderError, match=r"outside\.go:3:14: undefined: nonsense"):
        built_of(tree, sources).get("kubectl", deadline=within())


def test_build_past_its_deadline_leaves_nothing(tree: Path, sources: Sources) -> None:
    built = built_of(tree, sources)

    with pytest.raises(DeadlineExceeded):
        built.get("kubectl", deadline=within(0.001))

    assert sources.built is not None
    assert [path for path in sources.built.rglob("*") if path.is_file()] == []


def test_tree_that_needs_a_newer_go_says_so(tree: Path, sources: Sources) -> None:
    go_mod = tree / "go.mod"
    go_mod.write_text(go_mod.read_text().replace("go 1.24.0", "go 1.999.0"))

    with pytest.raises(ProviderError, match=r"Go >= 1\.999\.0 is needed for kubernetes v1\.36\.3-dirty, found 1\."):
        built_of(tree, sources).get("kubectl", deadline=within())


@pytest.mark.slow  # half a minute once on a machine: the standard library of the other platform
def test_another_platform_is_built_beside_this_one(tree: Path, sources: Sources) -> None:
    built = built_of(tree, sources)
    arm = built.other(platform="linux/arm64", deadline=within()).get("kubectl", deadline=within())
    here = built.get("kubectl", deadline=within())

    assert arm != here
    assert arm.read_bytes()[18:20] == b"\xb7\x00"  # EM_AARCH64
    assert said(here).startswith("kubectl v1.36.3 ")


def test_another_version_is_had_from_where_versions_are_had(tree: Path, sources: Sources, tmp_path: Path) -> None:
    built = built_of(tree, sources)
    other = make_checkout(tmp_path / "other", "v1.37.0")

    newer = built.other(f"source:{other}", deadline=within())

    assert built.other("v1.35.4", deadline=within()) == Release("v1.35.4", "exact", sources)
    assert said(newer.get("kubectl", deadline=within())).startswith("kubectl v1.37.0 1.37 clean ")


def test_what_is_not_of_the_tree_comes_from_pins_near_its_version(tree: Path, sources: Sources) -> None:
    git(tree, "tag", "-d", "v1.36.3")
    git(tree, "tag", "v1.35.9")
    built = built_of(tree, replace(sources, offline=True))

    with pytest.raises(ProviderError, match=r"etcd v3\.6\.\d+ for linux/amd64 cannot be had") as raised:
        replace(built, sources=replace(built.sources, env={"PATH": ""})).get("etcd", deadline=within())

    pinned = Release("v1.35.4", "exact", replace(sources, offline=True, env={"PATH": ""}))
    with pytest.raises(ProviderError) as of_pin:
        pinned.get("etcd", deadline=within())
    assert str(raised.value) == str(of_pin.value)


def test_only_a_run_builds(tree: Path, sources: Sources) -> None:
    built = built_of(tree, replace(sources, built=None))

    assert built.origin("kubectl", deadline=within()).place == "go build"
    assert built.published("kubectl", deadline=within()) is None
    with pytest.raises(ProviderError, match="is built by a run only"):
        built.get("kubectl", deadline=within())


def test_origin_says_why_nothing_can_be_built(tree: Path, sources: Sources) -> None:
    built = built_of(tree, sources)
    without = replace(built, sources=replace(sources, env={"PATH": ""}))

    assert without.origin("kubectl", deadline=within()) == Origin("nowhere", "there is no go on PATH")


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_real_tree_of_kubernetes_is_built(tmp_path: Path) -> None:
    """The first run on a machine compiles about 900 packages."""
    tree = make_real_checkout(tmp_path / "kubernetes", PINNED)
    git(tree, "commit", "-q", "--allow-empty", "-m", "more")
    sources = replace(sources_from_env(os.environ), built=tmp_path / "built")

    kubectl = built_of(tree, sources).get("kubectl", deadline=within(3500))

    argv = (kubectl, "version", "--client", "--output", "json")
    told = json.loads(subprocess.run(argv, capture_output=True, timeout=60, check=True).stdout)["clientVersion"]
    commit = git(tree, "rev-parse", "HEAD")
    names = ("gitVersion", "gitCommit", "gitTreeState", "major", "minor")
    assert tuple(told[name] for name in names) == (f"{PINNED}-1+{commit[:14]}", commit, "clean", "1", "36+")
    assert git(tree, "status", "--porcelain") == ""


def test_archive_of_a_release_says_its_version_itself(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "kubernetes-1.36.3")
    script = tree / "hack/lib/version.sh"
    script.parent.mkdir(parents=True)
    script.write_text(ARCHIVE.replace("@COMMIT@", COMMIT).replace("@NAMES@", "HEAD, tag: v1.36.3, origin/release-1.36"))

    assert read_checkout(tree, os.environ) == Checkout(tree, "v1.36.3", COMMIT, "archive", "1.24.0")


def _plain(tree: Path) -> None:
    shutil.rmtree(tree / ".git")
    script = tree / "hack/lib/version.sh"
    script.parent.mkdir(parents=True)
    script.write_text(ARCHIVE.replace("@NAMES@", "HEAD -> master"))


def _untagged(tree: Path) -> None:
    git(tree, "tag", "-d", "v1.36.3")


def _shallow(tree: Path) -> None:
    _untagged(tree)
    (tree / ".git/shallow").write_text(git(tree, "rev-parse", "HEAD") + "\n")


def _strange_tag(tree: Path) -> None:
    _untagged(tree)
    git(tree, "tag", "vanilla")


def _other_module(tree: Path) -> None:
    (tree / "go.mod").write_text("module example.com/other\n\ngo 1.24.0\n")


def _no_commit(tree: Path) -> None:
    shutil.rmtree(tree / ".git")
    git(tree, "init", "-q")


@pytest.mark.parametrize(
    ("spoil", "what", "hint"),
    [
        pytest.param(shutil.rmtree, "go.mod cannot be read: No such file", "name the root of a checkout", id="none"),
        pytest.param(_other_module, "is no checkout of Kubernetes", "name the folder that git clone made", id="other"),
        pytest.param(_untagged, "has no version: no tag v* is among what came before", "fetch --tags", id="no-tag"),
        pytest.param(_shallow, "has no version: no tag v*", "fetch --tags --unshallow", id="shallow"),
        pytest.param(_strange_tag, "calls itself 'vanilla', which is no version", "describe --tags", id="strange-tag"),
        pytest.param(_no_commit, "Needed a single revision", "status", id="no-commit"),
        pytest.param(_plain, "it is no git checkout, and hack/lib/version.sh names no", "take a git", id="no-git"),
    ],
)
def test_tree_whose_version_nobody_knows_is_refused(
    tree: Path, sources: Sources, spoil: object, what: str, hint: str
) -> None:
    assert callable(spoil)
    spoil(tree)

    with pytest.raises(ProviderError) as raised:
        resolve(f"source:{tree}", sources=sources, deadline=within())

    assert what in str(raised.value)
    assert hint in raised.value.hint


def test_git_of_a_folder_above_is_not_asked(tree: Path) -> None:
    inner = make_tree(tree / "inner")

    with pytest.raises(ProviderError, match=r"version\.sh cannot be read"):
        read_checkout(inner, os.environ)
