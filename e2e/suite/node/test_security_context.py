from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2e.suite.containers import FOREVER, RUN, RUN_S, Pods, once, shell

pytestmark = [pytest.mark.sig("node"), pytest.mark.requires("pods-run"), pytest.mark.needs(*RUN)]

Eventually = Callable[..., Any]
WHO = "echo $(id -u) $(id -g) $(id -G)"
NET_BIND_SERVICE = 10  # bit numbers of linux/capability.h
CHOWN = 0


def kernel_says(field: str) -> str:
    """Return a script that prints a field of the process's status."""
    return f"grep {field}: /proc/self/status"


def field_of(written: str) -> str:
    """Return the value of a field that ``kernel_says`` printed."""
    return written.split()[1]


@pytest.mark.cite(
    "[sig-node] Security Context should support pod.Spec.SecurityContext.RunAsUser And pod.Spec.SecurityContext.RunAsGroup [LinuxOnly] [Conformance]"
)
@pytest.mark.cite(
    "[sig-node] Security Context should support container.SecurityContext.RunAsUser And container.SecurityContext.RunAsGroup [LinuxOnly] [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.parametrize(
    ("of_container", "who"),
    [({}, "1001 2002 2002"), ({"runAsUser": 1003, "runAsGroup": 2004}, "1003 2004 2004")],
    ids=["of the pod", "of the container"],
)
def test_user_and_group(pods: Pods, of_container: dict[str, Any], who: str) -> None:
    """Container should run as the user and the group that its pod says, and rather as those that it says itself."""
    of_pod = {"runAsUser": 1001, "runAsGroup": 2002}

    assert pods.output(once("a", shell(WHO, securityContext=of_container), securityContext=of_pod)) == f"{who}\n"


@pytest.mark.cite("docs/tasks/configure-pod-container/security-context#set-the-security-context-for-a-pod")
def test_groups_of_the_pod(pods: Pods) -> None:
    """Container should be in the supplemental groups and the volumes' group of its pod, which owns new files there."""
    of_pod = {"runAsUser": 1001, "runAsGroup": 2002, "supplementalGroups": [3003], "fsGroup": 4004}
    mount = [{"name": "v", "mountPath": "/v"}]
    made = shell(f"{WHO}; touch /v/new; stat -c %g /v/new", volumeMounts=mount)
    written = pods.output(once("a", made, securityContext=of_pod, volumes=[{"name": "v", "emptyDir": {}}]))

    user, group, *groups = written.splitlines()[0].split()
    assert (user, group, sorted(groups)) == ("1001", "2002", ["2002", "3003", "4004"])
    assert written.splitlines()[1] == "4004"


@pytest.mark.cite("docs/concepts/security/pod-security-standards#restricted")
def test_root_is_refused(pods: Pods, eventually: Eventually) -> None:
    """Container that must not run as root should not start from an image that does."""
    pods.create(once("a", shell("id"), securityContext={"runAsNonRoot": True}))

    def waiting() -> tuple[str | None, str]:
        state = pods.container("a").state
        assert state
        assert state.waiting
        return state.waiting.reason, state.waiting.message or ""

    seen = eventually(waiting, until=lambda seen: seen[0] == "CreateContainerConfigError", timeout_s=RUN_S)
    assert "runAsNonRoot" in seen[1]


@pytest.mark.cite("docs/tasks/configure-pod-container/security-context")
def test_root_file_system_is_read_only(pods: Pods) -> None:
    """Container with a read-only root should be able to write into its volumes only."""
    mount = [{"name": "v", "mountPath": "/v"}]
    script = "touch /v/here && echo volume; touch /there 2>/dev/null || echo 'not there'"
    made = shell(script, volumeMounts=mount, securityContext={"readOnlyRootFilesystem": True})

    assert pods.output(once("a", made, volumes=[{"name": "v", "emptyDir": {}}])) == "volume\nnot there\n"


@pytest.mark.cite("docs/tasks/configure-pod-container/security-context#set-capabilities-for-a-container")
@pytest.mark.parametrize(
    ("change", "bits"),
    [
        ({"drop": ["ALL"]}, set()),
        ({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, {NET_BIND_SERVICE}),
        ({"drop": ["CHOWN"]}, None),
    ],
    ids=["none", "one", "all but one"],
)
def test_capabilities(pods: Pods, change: dict[str, Any], bits: set[int] | None) -> None:
    """Container should have the capabilities that are left when some are dropped and added."""
    written = pods.output(once("a", shell(kernel_says("CapEff"), securityContext={"capabilities": change})))
    mask = int(field_of(written), 16)
    found = {bit for bit in range(64) if mask >> bit & 1}

    if bits is None:  # what else it has is the container runtime's choice
        assert (CHOWN in found, NET_BIND_SERVICE in found) == (False, True)
    else:
        assert found == bits


@pytest.mark.cite(
    "[sig-node] Security Context when creating containers with AllowPrivilegeEscalation should not allow privilege escalation when false [LinuxOnly] [NodeConformance] [Conformance]"
)
@pytest.mark.parametrize(("allowed", "flag"), [(False, "1"), (True, "0")], ids=["refused", "allowed"])
def test_no_new_privileges(pods: Pods, allowed: bool, flag: str) -> None:
    """Container should get no new privileges unless it may."""
    made = shell(kernel_says("NoNewPrivs"), securityContext={"allowPrivilegeEscalation": allowed})

    assert field_of(pods.output(once("a", made))) == flag


@pytest.mark.cite("docs/tasks/configure-pod-container/share-process-namespace")
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "apart"])
def test_processes_are_shared_on_request(pods: Pods, shared: bool) -> None:
    """Containers of a pod should see each other's processes when the pod says so, and only then."""
    look = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 4321'; test -e /proc/1"
    beside = shell("exec sleep 4321", name="beside", restartPolicy="Always")
    # the bracket keeps the script from finding itself
    made = shell(look.replace("sleep 4321", "slee[p] 4321"))

    assert pods.output(once("a", made, initContainers=[beside], shareProcessNamespace=shared)).strip() == str(
        int(shared)
    )


@pytest.mark.cite(
    "[sig-node] Sysctls [LinuxOnly] [NodeConformance] should support sysctls [Environment:NotInUserNS] [Conformance]"
)
@pytest.mark.conformance
def test_sysctls(pods: Pods) -> None:
    """Pod should run with its safe sysctls."""
    context = {"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]}

    assert pods.output(once("a", shell("cat /proc/sys/kernel/shm_rmid_forced"), securityContext=context)) == "1\n"


@pytest.mark.cite("docs/tasks/administer-cluster/sysctl-cluster#enabling-unsafe-sysctls")
def test_unsafe_sysctls_are_refused(pods: Pods) -> None:
    """Pod with a sysctl that its node does not allow should be refused by the node."""
    context = {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}
    pods.create(once("a", shell(FOREVER), securityContext=context))
    pods.end("a", phase="Failed")

    status = pods.get("a").status
    assert status
    assert status.reason == "SysctlForbidden"
