"""A small tree that looks like a checkout of Kubernetes: a workspace with staging modules, vendored, stamped, real Go.

And the real one, put together from Go modules, since a module proxy is all that is needed elsewhere too: the module
``k8s.io/kubernetes`` comes without its staging modules, which are published each for itself, and without its vendor
folder, so that ``go`` takes what the tree needs from the proxy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from providers.releases.programs import PROGRAMS

QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
NOBODY = ("-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "init.defaultBranch=main")
PLACES = ("client-go/pkg/version", "component-base/version")
VERSION = """package version

var (
	gitVersion   = "v0.0.0-master+$Format:%H$"
	gitCommit    = "$Format:%H$"
	gitTreeState = ""
	gitMajor     string
	gitMinor     string
	buildDate    = "1970-01-01T00:00:00Z"
)

func Get() string {
	return gitVersion + " " + gitMajor + "." + gitMinor + " " + gitTreeState + " " + gitCommit + " " + buildDate
}
"""
MAIN = """package main

import (
	"os"

	"example.com/outside"
	"k8s.io/component-base/version"
)

func main() {
	os.Stdout.WriteString("NAME " + version.Get() + outside.Word + "\\n")
}
"""
TEST_MAIN = """package e2e

import (
	"os"
	"testing"

	"k8s.io/component-base/version"
)

func TestMain(m *testing.M) { os.Stdout.WriteString("e2e.test " + version.Get() + "\\n") }
"""
# vendored module -> its package, and that package's source
OUTSIDE = {
    "example.com/outside": ("", 'package outside\n\nconst Word = " vendored"\n'),
    "github.com/onsi/ginkgo/v2": ("/ginkgo", 'package main\n\nfunc main() { println("ginkgo") }\n'),
}
# of hack/lib/version.sh what is looked at where there is no git, with the comment that looks alike
ARCHIVE = """
  if [[ '%' == "%" ]]; then
    KUBE_GIT_COMMIT='@COMMIT@'
    KUBE_GIT_TREE_STATE="archive"
    # When a 'git archive' is exported, the '' below will look
    # something like 'HEAD -> release-1.8, tag: v1.8.3' where then 'tag: '
    # can be extracted from it.
    if [[ '@NAMES@' =~ tag:\\ (v[^ ,]+) ]]; then
"""


def git(folder: Path, *words: str) -> str:
    """Run git in a folder as nobody in particular, and return what it says."""
    argv = ["git", "-C", str(folder), *NOBODY, *words]
    done = subprocess.run(argv, capture_output=True, text=True, env=os.environ | QUIET, timeout=60, check=True)
    return done.stdout.strip()


def make_tree(folder: Path) -> Path:
    """Write the tree; each program tells its name, what it was stamped with, and a word of a vendored module."""
    for program in PROGRAMS.values():
        if program.project == "kubernetes" and program.package.startswith("k8s.io/kubernetes/cmd/"):
            _write(folder / "cmd" / program.name / "main.go", MAIN.replace("NAME", program.name))
    for place in PLACES:
        _write(folder / "staging/src/k8s.io" / place / "base.go", VERSION)
    staging = sorted({place.partition("/")[0] for place in PLACES})
    for name in staging:
        _write(folder / "staging/src/k8s.io" / name / "go.mod", f"module k8s.io/{name}\n\ngo 1.24.0\n")
    required = {name: "v2.0.0" if name.endswith("/v2") else "v1.0.0" for name in OUTSIDE}
    required |= {f"k8s.io/{name}": "v0.0.0" for name in staging}
    lines = "".join(f"\t{name} {version}\n" for name, version in required.items())
    _write(folder / "go.mod", f"module k8s.io/kubernetes\n\ngo 1.24.0\n\nrequire (\n{lines})\n")
    used = "".join(f"\t./staging/src/k8s.io/{name}\n" for name in staging)
    _write(folder / "go.work", f"go 1.24.0\n\nuse (\n\t.\n{used})\n")
    vendored = ["## workspace"]
    for name, version in required.items():
        vendored += [f"# {name} {version}", "## explicit"]
        if name in OUTSIDE:
            package, source = OUTSIDE[name]
            _write(folder / f"vendor/{name}{package}/outside.go", source)
            vendored.append(f"{name}{package}")
    _write(folder / "vendor/modules.txt", "\n".join([*vendored, ""]))
    _write(folder / "test/e2e/e2e.go", "package e2e\n")
    _write(folder / "test/e2e/e2e_test.go", TEST_MAIN)
    return folder


def make_checkout(folder: Path, tag: str = "v1.36.3") -> Path:
    """Write the tree and commit it in a git repository, with a tag unless that is empty."""
    make_tree(folder)
    git(folder, "init", "-q")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "all")
    if tag:
        git(folder, "tag", tag)
    return folder


def make_real_checkout(folder: Path, version: str) -> Path:
    """Put the source of a release together, and commit it with its tag. Takes a minute, most of it for copying."""
    root = _module("k8s.io/kubernetes", version)
    assert root is not None, "no module proxy has k8s.io/kubernetes"
    shutil.copytree(root, folder)
    _make_writable(folder)
    shutil.rmtree(folder / "vendor")
    used, required = folder / "go.work", folder / "go.mod"
    for name in re.findall(r"\./staging/src/k8s\.io/(\S+)", used.read_text()):
        source = _module(f"k8s.io/{name}", f"v0.{version.split('.', 1)[1]}")
        if source is not None:
            shutil.copytree(source, folder / "staging/src/k8s.io" / name)
        else:  # no program needs the samples, and not every proxy has them
            assert name.startswith("sample-"), name
            for file in (used, required):
                file.write_text(re.sub(rf"^.*/{name}\b.*\n", "", file.read_text(), flags=re.MULTILINE))
    _make_writable(folder)
    git(folder, "init", "-q")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "all")
    git(folder, "tag", version)
    return folder


def _module(name: str, version: str) -> Path | None:
    """Return where Go keeps a module, or None when it cannot be had."""
    argv = ("go", "mod", "download", "-json", f"{name}@{version}")
    done = subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=300, check=False)
    found = json.loads(done.stdout or "{}").get("Dir")
    return Path(found) if found else None


def _make_writable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
