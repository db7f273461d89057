"""The programs of a release: which project each belongs to, its Go package, and how its version is stamped in."""

from __future__ import annotations

from dataclasses import dataclass

from upload.errors import UsageError


@dataclass(frozen=True, slots=True)
class Program:
    """One program.

    ``project``: whose release it is, and the folder of its pin; ``package``: what ``go build`` builds, or with
    ``is_test`` what ``go test -c`` does; ``bundle``: the archive of the release in which it comes, if not alone.
    """

    name: str
    project: str
    package: str
    platforms: tuple[str, ...]
    bundle: str = ""
    is_test: bool = False


_SERVERS = ("linux/amd64", "linux/arm64")
_CLIENTS = (*_SERVERS, "darwin/amd64", "darwin/arm64")
_TESTS = "kubernetes-test"

PROGRAMS = {
    program.name: program
    for program in (
        Program("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", _SERVERS),
        Program("kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", _SERVERS),
        Program("kube-scheduler", "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", _SERVERS),
        Program("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl", _CLIENTS),
        Program("kubeadm", "kubernetes", "k8s.io/kubernetes/cmd/kubeadm", _SERVERS),
        Program("kubelet", "kubernetes", "k8s.io/kubernetes/cmd/kubelet", _SERVERS),
        Program("kube-proxy", "kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", _SERVERS),
        Program("e2e.test", "kubernetes", "k8s.io/kubernetes/test/e2e", _CLIENTS, bundle=_TESTS, is_test=True),
        Program("ginkgo", "kubernetes", "github.com/onsi/ginkgo/v2/ginkgo", _CLIENTS, bundle=_TESTS),
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", _CLIENTS),
        Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", _CLIENTS),
        Program("kwokctl", "kwok", "sigs.k8s.io/kwok/cmd/kwokctl", _CLIENTS),
        Program("coredns", "coredns", "github.com/coredns/coredns", _CLIENTS),
    )
}

# project -> the module whose version is the project's version
MODULES = {
    "kubernetes": "k8s.io/kubernetes",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok",
    "coredns": "github.com/coredns/coredns",
}


def program_named(name: str) -> Program:
    """Return the program of that name. Raises UsageError listing those there are."""
    if name not in PROGRAMS:
        raise UsageError(f"unknown program {name!r}; there are {', '.join(PROGRAMS)}")
    return PROGRAMS[name]


NO_COMMIT = "0000000"


def stamps(project: str, version: str, *, commit: str = NO_COMMIT, tree_state: str = "clean") -> tuple[str, ...]:
    """Return the ``-X`` values that tell a program its version, as the project's own release scripts set them.

    A Go module carries neither commit nor date: both are placeholders, so that a build is the same everywhere.
    ``tree_state``: clean, dirty or archive.
    Source: kubernetes hack/lib/version.sh, etcd scripts/build_lib.sh, kwok hack/releases.sh, CoreDNS's Makefile.
    """
    if project == "etcd":
        return (f"go.etcd.io/etcd/api/v3/version.GitSHA={commit}",)
    if project == "coredns":
        return (f"github.com/coredns/coredns/coremain.GitCommit={commit}",)
    if project == "kwok":
        return (f"sigs.k8s.io/kwok/pkg/consts.Version={version}",)
    if project != "kubernetes":
        return ()
    major, minor = version.removeprefix("v").split(".")[:2]
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": f"{minor}+" if "-" in version else minor,  # what comes before or after a release
        "gitTreeState": tree_state,
        "gitCommit": commit,
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ("k8s.io/client-go/pkg/version", "k8s.io/component-base/version")
    return tuple(f"{package}.{key}={value}" for package in packages for key, value in values.items())
