from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import yaml

from providers import kwok
from providers.kwok import Death, Home, Plan, configuration, first_death, free_ports, said_by_kwokctl
from providers.process import Mark

PROGRAMS = {name: Path("/bin") / name for name in kwok.NEEDED}
PORTS = (1, 2, 3, 4, 5, 6)
NO_PID = 2**22 + 1  # above any pid_max


def home(folder: Path) -> Home:
    return Home(folder, "c1")


def start(cluster: Home, component: str, pid: int | str, log: str = "") -> None:
    pid_file = cluster.cluster / "pids" / f"{component}.pid"
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(str(pid))
    cluster.logs.mkdir(parents=True, exist_ok=True)
    (cluster.logs / f"{component}.log").write_text(log)


def test_configuration_is_complete_and_downloads_nothing() -> None:
    plan = Plan(version="v1.36.3", programs=PROGRAMS, service_cidr="10.96.0.0/16")

    document = yaml.safe_load(configuration(plan, home(Path("/run/c1")), PORTS))

    pki = "/run/c1/kwok/clusters/c1/pki"
    assert document == {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {
            "runtime": "binary",
            "kubeVersion": "v1.36.3",
            "bindAddress": "127.0.0.1",
            "heartbeatFactor": 1,
            "components": ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller"],
            "etcdBinary": "/bin/etcd",
            "kubeApiserverBinary": "/bin/kube-apiserver",
            "kubeControllerManagerBinary": "/bin/kube-controller-manager",
            "kubeSchedulerBinary": "/bin/kube-scheduler",
            "kwokControllerBinary": "/bin/kwok",
            "kubectlBinary": "/bin/kubectl",
            "etcdPort": 1,
            "etcdPeerPort": 2,
            "kubeApiserverPort": 3,
            "kubeControllerManagerPort": 4,
            "kubeSchedulerPort": 5,
            "kwokControllerPort": 6,
        },
        "componentsPatches": [
            {"name": "etcd", "extraArgs": [{"key": "unsafe-no-fsync", "value": "true"}]},
            {
                "name": "kube-apiserver",
                "extraArgs": [
                    {"key": "advertise-address", "value": "192.0.2.254"},
                    {"key": "service-cluster-ip-range", "value": "10.96.0.0/16"},
                ],
            },
            {
                "name": "kube-controller-manager",
                "extraArgs": [
                    {"key": "cluster-signing-cert-file", "value": f"{pki}/ca.crt"},
                    {"key": "cluster-signing-key-file", "value": f"{pki}/ca.key"},
                    {"key": "leader-elect", "value": "false"},
                    {"key": "kube-api-qps", "value": "500"},
                    {"key": "kube-api-burst", "value": "1000"},
                ],
            },
            {
                "name": "kube-scheduler",
                "extraArgs": [
                    {"key": "leader-elect", "value": "false"},
                    {"key": "kube-api-qps", "value": "500"},
                    {"key": "kube-api-burst", "value": "1000"},
                ],
            },
            {
                "name": "kwok-controller",
                "extraArgs": [
                    {"key": "disregard-status-with-annotation-selector", "value": "kwok.x-k8s.io/status=custom"}
                ],
            },
        ],
    }


def test_configuration_has_the_plans_flags_and_lacks_disabled_components() -> None:
    plan = Plan(
        version="v1.36.3",
        programs=PROGRAMS,
        service_cidr="10.96.0.0/16",
        args={"kube-controller-manager": {"controllers": "*,-replicaset"}},
        disabled=frozenset({"kube-scheduler"}),
    )

    document = yaml.safe_load(configuration(plan, home(Path("/run/c1")), PORTS))

    patches = {patch["name"]: patch["extraArgs"] for patch in document["componentsPatches"]}
    assert patches["kube-controller-manager"][-1] == {"key": "controllers", "value": "*,-replicaset"}
    assert "kube-scheduler" not in patches
    assert "kube-scheduler" not in document["options"]["components"]


def test_environment_of_kwokctl_is_exactly_three_variables(tmp_path: Path) -> None:
    cluster = home(tmp_path)

    assert cluster.environment() == {
        "HOME": str(tmp_path / "home"),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "KWOK_WORKDIR": str(tmp_path / "kwok"),
    }
    assert cluster.mark == Mark("KWOK_WORKDIR", str(tmp_path / "kwok"))


def test_free_ports_are_different_and_not_those_in_use() -> None:
    with socket.socket() as taken:
        taken.bind((kwok.LOOPBACK, 0))
        taken.listen()
        ports = free_ports(kwok.PORTS_NEEDED)

        assert len(set(ports)) == kwok.PORTS_NEEDED
        assert taken.getsockname()[1] not in ports


def test_free_ports_says_so_when_there_are_not_as_many() -> None:
    with pytest.raises(OSError, match="no 20000 free ports between 20000 and 32700"):
        free_ports(20000)


def test_no_component_died_when_none_was_started(tmp_path: Path) -> None:
    assert first_death(home(tmp_path), tuple(kwok.PROGRAMS)) is None


def test_a_living_component_is_no_death(tmp_path: Path) -> None:
    start(home(tmp_path), "etcd", os.getpid())

    assert first_death(home(tmp_path), ("etcd",)) is None


def test_a_pid_file_that_is_being_written_is_no_death(tmp_path: Path) -> None:
    start(home(tmp_path), "etcd", "")

    assert first_death(home(tmp_path), ("etcd",)) is None


def test_a_dead_component_is_told_with_its_log(tmp_path: Path) -> None:
    start(home(tmp_path), "etcd", os.getpid())
    start(home(tmp_path), "kube-scheduler", NO_PID, log="one\ntwo\n")

    death = first_death(home(tmp_path), ("etcd", "kube-scheduler"))

    assert death == Death("kube-scheduler", "one\ntwo")


@pytest.mark.parametrize(
    ("log", "taken"),
    [
        ("listen tcp 127.0.0.1:20001: bind: address already in use", True),
        ("unknown flag: --nonsense", False),
        ("", False),
    ],
    ids=["taken", "flag", "silent"],
)
def test_a_taken_port_is_known_by_the_log(log: str, taken: bool) -> None:
    assert Death("etcd", log).port_taken is taken


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("flag provided but not defined: -x\nUsage:\n\n  etcd [flags]\n", "flag provided but not defined: -x"),
        ("starting\nserving\n\n", "serving"),
        ("", "it logged nothing"),
        (f"Error: {'x' * 500}\n", f"Error: {'x' * 293}"),
        ("panic: no\n\ngoroutine 1 [running]:\nzap.(*Logger).Panic(0x1)\n\tlogger.go:285\n", "panic: no"),
        (
            '{"msg":"WAL","error":"no space left"}\npanic: failed to create WAL\n',
            '{"msg":"WAL","error":"no space left"}',
        ),
    ],
    ids=["reason before usage", "no reason", "nothing", "long", "stack of a panic", "reason before panic"],
)
def test_the_telling_line_of_a_log_is_shown(log: str, line: str) -> None:
    assert Death("etcd", log).last_line == line


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("", ""),
        ('{"level":"INFO","msg":"Cluster is creating"}\n', ""),
        (
            '{"level":"ERROR","msg":"Failed to setup config","err":"no space left"}\n',
            "Failed to setup config: no space left",
        ),
        ('{"level":"WARN","msg":"Not served yet"}\n{"level":"INFO","msg":"x"}\n', "Not served yet"),
        ("panic: runtime error\n", "panic: runtime error"),
        ("[1]\n", ""),
    ],
    ids=["nothing", "no error", "error", "warning before other lines", "no JSON", "no object"],
)
def test_what_kwokctl_said_is_its_last_complaint(tmp_path: Path, printed: str, said: str) -> None:
    cluster = home(tmp_path)
    cluster.output.write_text(printed)

    assert said_by_kwokctl(cluster) == said
