from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lightkube import ApiError, Client
from lightkube.models.core_v1 import ContainerState
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Pod

from e2e.suite.containers import EXEC, FOREVER, RUN, RUN_S, Inside, Pods, agnhost, lasting, once, shell
from e2e.suite.controllers import meta

pytestmark = [pytest.mark.sig("node"), pytest.mark.requires("pods-run"), pytest.mark.needs(*RUN)]

Eventually = Callable[..., Any]
HOLD = "e2e.test/hold"  # a finalizer: the pod's last status can be read after its containers are gone
SHARED = [{"name": "shared", "emptyDir": {}}]
MOUNT = [{"name": "shared", "mountPath": "/shared"}]


def how_it_ended(state: ContainerState | None) -> tuple[int, str, str]:
    """Return exit code, reason and termination message of a container. Fails while it runs."""
    assert state
    assert state.terminated
    return state.terminated.exitCode, state.terminated.reason or "", state.terminated.message or ""


def why_it_waits(pods: Pods, container: str = "main") -> str | None:
    """Return the reason for which a container does not run. Fails when it is not waiting."""
    state = pods.container("a", container).state
    assert state
    assert state.waiting
    return state.waiting.reason


@pytest.mark.cite(
    "[sig-node] Container Runtime blackbox test when starting a container that exits should run with the expected status [NodeConformance] [Conformance]"
)
@pytest.mark.parametrize(
    ("script", "phase", "ended"),
    [
        ("echo out; echo err >&2", "Succeeded", (0, "Completed", "")),
        ("echo out; echo err >&2; exit 3", "Failed", (3, "Error", "")),
    ],
    ids=["success", "failure"],
)
def test_run_to_completion(pods: Pods, script: str, phase: str, ended: tuple[int, str, str]) -> None:
    """Pod should end with the phase, the exit code and the log of its container."""
    pods.create(once("a", shell(script)))
    pods.end("a", phase=phase)

    assert how_it_ended(pods.container("a").state) == ended
    assert sorted(pods.log("a").split()) == ["err", "out"]


@pytest.mark.cite(
    "[sig-node] Container Runtime blackbox test on terminated container should report termination message from file when pod succeeds and TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance] [Conformance]"
)
@pytest.mark.cite(
    "[sig-node] Container Runtime blackbox test on terminated container should report termination message from log output if TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.parametrize(
    ("script", "phase", "message"),
    [
        ("echo logged; echo written > /dev/termination-log", "Succeeded", "written\n"),
        ("echo logged; exit 1", "Failed", "logged\n"),
        ("echo logged", "Succeeded", ""),
    ],
    ids=["from the file", "from the log of a failure", "none of a success"],
)
def test_termination_message(pods: Pods, script: str, phase: str, message: str) -> None:
    """Container should leave its last words in the pod's status."""
    pods.create(once("a", shell(script, terminationMessagePolicy="FallbackToLogsOnError")))
    pods.end("a", phase=phase)

    assert how_it_ended(pods.container("a").state)[2] == message


@pytest.mark.cite("docs/concepts/workloads/pods/pod-lifecycle#restart-policy")
@pytest.mark.needs(EXEC)
def test_restart_on_failure(pods: Pods, inside: Inside, eventually: Eventually) -> None:
    """Pod that restarts on failure should start a failed container again and succeed with it."""
    script = "test -e /shared/tried || { touch /shared/tried; exit 7; }; until test -e /shared/go; do sleep 0.2; done"
    made = shell(script, volumeMounts=MOUNT)
    pods.create(once("a", made, restartPolicy="OnFailure", volumes=SHARED))

    again = eventually(lambda: pods.container("a"), until=lambda c: c.restartCount == 1 and c.ready, timeout_s=RUN_S)
    # while it runs: of two that are dead the kubelet forgets the first one within a minute
    assert how_it_ended(again.lastState)[0] == 7
    inside("a", "touch /shared/go")
    pods.end("a", phase="Succeeded")
    found = pods.container("a")
    assert (found.restartCount, how_it_ended(found.state)[0]) == (1, 0)


@pytest.mark.cite("docs/concepts/workloads/pods/pod-lifecycle#restart-policy")
def test_restart_always(pods: Pods, eventually: Eventually) -> None:
    """Pod that always restarts should start a container again that ended well, with the same volumes."""
    script = f"echo x >> /shared/starts; test $(wc -l < /shared/starts) = 1 || {FOREVER}"
    pods.create(lasting("a", shell(script, volumeMounts=MOUNT), volumes=SHARED))

    found = eventually(lambda: pods.container("a"), until=lambda c: c.restartCount == 1 and c.ready, timeout_s=RUN_S)
    assert how_it_ended(found.lastState) == (0, "Completed", "")


@pytest.mark.cite(
    "[sig-node] InitContainer [NodeConformance] should invoke init containers on a RestartNever pod [Conformance]"
)
@pytest.mark.conformance
def test_init_containers_run_in_order(pods: Pods) -> None:
    """Init containers should run one after the other before the pod's container."""
    init = [shell(f"echo {n} >> /shared/order", name=f"init{n}", volumeMounts=MOUNT) for n in (1, 2)]
    main = shell("echo main >> /shared/order; cat /shared/order", volumeMounts=MOUNT)

    assert pods.output(once("a", main, initContainers=init, volumes=SHARED)).split() == ["1", "2", "main"]


@pytest.mark.cite(
    "[sig-node] InitContainer [NodeConformance] should not start app containers and fail the pod if init containers fail on a RestartNever pod [Conformance]"
)
@pytest.mark.conformance
def test_failed_init_container_fails_the_pod(pods: Pods) -> None:
    """Init container that fails should fail its pod before anything else is started."""
    init = [shell("exit 5", name="first"), shell("true", name="second")]
    pods.create(once("a", shell("true"), initContainers=init))
    pods.end("a", phase="Failed")

    assert how_it_ended(pods.container("a", "first").state)[0] == 5
    assert [why_it_waits(pods, name) for name in ("second", "main")] == ["PodInitializing", "PodInitializing"]


@pytest.mark.cite("docs/concepts/workloads/pods/sidecar-containers")
def test_sidecar_runs_beside_and_ends_with_the_pod(pods: Pods) -> None:
    """Sidecar should run before the pod's container starts, and should not keep the pod from ending."""
    probe = {"exec": {"command": ["test", "-e", "/shared/up"]}, "periodSeconds": 1, "failureThreshold": 60}
    beside = shell(
        f"touch /shared/up; {FOREVER}", name="beside", restartPolicy="Always", startupProbe=probe, volumeMounts=MOUNT
    )
    main = shell("ls /shared", volumeMounts=MOUNT)

    assert pods.output(once("a", main, initContainers=[beside], volumes=SHARED)) == "up\n"


@pytest.mark.cite("[sig-node] Pods should allow activeDeadlineSeconds to be updated [NodeConformance] [Conformance]")
@pytest.mark.conformance
def test_active_deadline(client: Client, namespace: str, pods: Pods) -> None:
    """Pod should fail when it runs longer than a deadline that is set while it runs."""
    pods.start(once("a", shell(FOREVER)))
    client.patch(Pod, "a", {"spec": {"activeDeadlineSeconds": 1}}, namespace=namespace)
    pods.end("a", phase="Failed")

    status = pods.get("a").status
    assert status
    assert status.reason == "DeadlineExceeded"


@pytest.mark.cite(
    "[sig-node] Containers should be able to override the image's default command and arguments [NodeConformance] [Conformance]"
)
@pytest.mark.cite(
    "[sig-node] Variable Expansion should allow substituting values in a container's args [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_command_and_arguments(pods: Pods) -> None:
    """Container should run the command and the arguments of its pod, with variables filled in."""
    env = [{"name": "WHO", "value": "you"}, {"name": "ALL", "value": "for $(WHO)"}]
    made = agnhost("entrypoint-tester", "$(ALL)", "$$(WHO)", "$(NOBODY)", command=["/agnhost-2"], env=env)

    assert pods.output(once("a", made)).split("\n")[0] == "[/agnhost-2 entrypoint-tester for you $(WHO) $(NOBODY)]"


@pytest.mark.cite(
    "[sig-node] Kubelet when scheduling an agnhost Pod with hostAliases should write entries to /etc/hosts [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_host_aliases(pods: Pods) -> None:
    """Pod should have its host aliases and itself in its file of hosts."""
    aliases = [{"ip": "192.0.2.1", "hostnames": ["one.example", "two.example"]}]
    written = pods.output(once("a", shell("cat /etc/hosts; hostname -i"), hostAliases=aliases))

    lines = [line.split() for line in written.splitlines() if not line.startswith("#")]
    own = lines.pop()
    assert ["192.0.2.1", "one.example", "two.example"] in lines
    assert [own[0], "a"] in lines


@pytest.mark.cite("docs/concepts/containers/images#image-pull-policy")
def test_missing_image_is_told(pods: Pods, eventually: Eventually) -> None:
    """Container whose image is not on the node and must not be pulled should wait with that as reason."""
    pods.create(once("a", shell("true", image="none.invalid/nothing:1", imagePullPolicy="Never")))
    eventually(lambda: why_it_waits(pods), until=lambda seen: seen == "ErrImageNeverPull", timeout_s=RUN_S)


@pytest.mark.cite("docs/tasks/configure-pod-container/configure-pod-configmap#restrictions")
@pytest.mark.needs("configmaps")
def test_missing_config_map_is_waited_for(client: Client, namespace: str, pods: Pods, eventually: Eventually) -> None:
    """Container should wait for a config map that its environment names, and start once there is one."""
    key = {"configMapKeyRef": {"name": "late", "key": "k"}}
    pods.create(once("a", shell('echo "$K"', env=[{"name": "K", "valueFrom": key}])))
    eventually(lambda: why_it_waits(pods), until=lambda seen: seen == "CreateContainerConfigError", timeout_s=RUN_S)
    client.create(ConfigMap(metadata=ObjectMeta(name="late"), data={"k": "here"}), namespace=namespace)
    pods.end("a", phase="Succeeded")
    assert pods.log("a") == "here\n"


@pytest.fixture
def last_words(client: Client, namespace: str, pods: Pods, eventually: Eventually) -> Iterator[Callable[..., Any]]:
    """Return a function that deletes a pod with a grace period and says how its container ended."""

    def delete(grace_s: int, made: dict[str, Any]) -> tuple[int, str, str]:
        pod = lasting("a", made, volumes=SHARED)
        meta(pod).finalizers = [HOLD]
        pods.start(pod)
        client.delete(Pod, "a", namespace=namespace, grace_period=grace_s)
        ended: tuple[int, str, str] = eventually(lambda: how_it_ended(pods.container("a").state), timeout_s=RUN_S)
        return ended

    yield delete
    try:
        client.patch(Pod, "a", {"metadata": {"finalizers": None}}, namespace=namespace)
    except ApiError as error:
        if error.status.code != 404:
            raise


READY_WHEN_TRAPPED = {"exec": {"command": ["test", "-e", "/shared/trapped"]}, "periodSeconds": 1}


def trapping(action: str, **fields: Any) -> dict[str, Any]:
    """Return a container that does something when it is told to end, and is ready once it is prepared to."""
    script = f"trap '{action}' TERM; touch /shared/trapped; while :; do sleep 0.1; done"
    return shell(script, volumeMounts=MOUNT, readinessProbe=READY_WHEN_TRAPPED, **fields)


@pytest.mark.cite("docs/concepts/workloads/pods/pod-lifecycle#pod-termination")
def test_container_is_told_to_end(last_words: Callable[..., Any]) -> None:
    """Pod that is deleted should let its container end by itself within the grace period."""
    ended = last_words(60, trapping("printf bye > /dev/termination-log; exit 4"))

    assert ended == (4, "Error", "bye")


@pytest.mark.cite("docs/concepts/workloads/pods/pod-lifecycle#pod-termination-forced")
def test_container_that_does_not_end_is_killed(last_words: Callable[..., Any]) -> None:
    """Pod that is deleted should have a container killed that goes on after the grace period."""
    assert last_words(1, trapping("printf told > /dev/termination-log")) == (137, "Error", "told")


@pytest.mark.cite(
    "[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute prestop exec hook properly [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_pre_stop_hook(last_words: Callable[..., Any]) -> None:
    """Hook preStop should run to its end before its container is told to end."""
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "sleep 1; printf 'hook, ' >> /shared/order"]}}}
    action = "printf told >> /shared/order; cat /shared/order > /dev/termination-log; exit 0"

    assert last_words(60, trapping(action, lifecycle=hook)) == (0, "Completed", "hook, told")


@pytest.mark.cite(
    "[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart exec hook properly [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_post_start_hook(pods: Pods) -> None:
    """Hook postStart should run in its container, which is up only after it."""
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "sleep 1; touch /shared/hooked"]}}}
    first = shell(FOREVER, name="hooked", lifecycle=hook, volumeMounts=MOUNT)
    # containers are started in their order, each after the hook of the one before
    pods.start(lasting("a", first, shell(f"ls /shared; {FOREVER}", volumeMounts=MOUNT), volumes=SHARED))

    assert pods.log("a") == "hooked\n"


@pytest.mark.cite("docs/concepts/containers/container-lifecycle-hooks#container-hooks")
def test_failed_post_start_hook(pods: Pods, eventually: Eventually) -> None:
    """Hook postStart that fails should end its container, which is started again."""
    script = "mkdir /shared/tried && exit 1; exit 0"
    hook = {"postStart": {"exec": {"command": ["sh", "-c", script]}}}
    pods.create(lasting("a", shell(FOREVER, lifecycle=hook, volumeMounts=MOUNT), volumes=SHARED))

    eventually(
        lambda: pods.container("a"), until=lambda found: found.ready and found.restartCount == 1, timeout_s=RUN_S
    )
