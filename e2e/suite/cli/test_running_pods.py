"""What kubectl does with containers that run: their logs, commands in them, and connections to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.models.core_v1 import ServicePort

from e2e.plugin.kubectl import Kubectl
from e2e.suite.containers import EXEC, FOREVER, RUN, RUN_S, Inside, Pods, agnhost, lasting, once, shell
from e2e.suite.network.services import service

pytestmark = [pytest.mark.sig("cli"), pytest.mark.requires("pods-run"), pytest.mark.needs(*RUN)]

Eventually = Callable[..., Any]
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d) "


@pytest.mark.cite("[sig-cli] Kubectl logs logs should be able to retrieve and filter logs [Conformance]")
@pytest.mark.conformance
def test_logs_are_filtered(namespace: str, pods: Pods, kubectl: Kubectl) -> None:
    """Kubectl logs should show all lines, the last ones, the first bytes, and each line's time."""
    pods.output(once("a", shell("for n in 1 2 3; do echo line $n; done")))

    def logs(*options: str) -> str:
        return kubectl("logs", "-n", namespace, "a", *options).stdout

    assert logs() == "line 1\nline 2\nline 3\n"
    assert logs("--tail=2") == "line 2\nline 3\n"
    assert logs("--limit-bytes=4") == "line"
    assert logs("--since=1h", "--tail=1") == "line 3\n"
    times = [re.sub(TIME, "T ", line) for line in logs("--timestamps").splitlines()]
    assert times == ["T line 1", "T line 2", "T line 3"]


@pytest.mark.cite("docs/reference/kubectl/generated/kubectl_logs")
def test_logs_of_the_container_before(namespace: str, pods: Pods, kubectl: Kubectl, eventually: Eventually) -> None:
    """Kubectl logs --previous should show what the container wrote before it was started again."""
    mount = [{"name": "v", "mountPath": "/v"}]
    script = f"mkdir /v/first 2>/dev/null && echo before && exit 1; echo after; {FOREVER}"
    volumes = [{"name": "v", "emptyDir": {}}]
    pods.create(lasting("a", shell(script, volumeMounts=mount), volumes=volumes))
    eventually(lambda: pods.container("a"), until=lambda c: c.restartCount == 1 and c.ready, timeout_s=RUN_S)

    eventually(
        lambda: [
            kubectl("logs", "-n", namespace, "a", *more).stdout.splitlines()[-1] for more in ((), ("--previous",))
        ],
        until=lambda seen: seen == ["after", "before"],
        timeout_s=RUN_S,
    )


@pytest.mark.cite("docs/reference/kubectl/generated/kubectl_logs")
def test_logs_are_followed(namespace: str, pods: Pods, kubectl: Kubectl) -> None:
    """Kubectl logs --follow should show what a container writes until it ends."""
    pods.start(once("a", shell("for n in 1 2 3 4; do echo $n; sleep 1; done")))

    assert kubectl("logs", "-n", namespace, "--follow", "a", timeout_s=RUN_S).stdout.split() == ["1", "2", "3", "4"]


@pytest.mark.cite("docs/reference/kubectl/generated/kubectl_logs")
def test_logs_of_all_containers(namespace: str, pods: Pods, kubectl: Kubectl) -> None:
    """Kubectl logs should show one container of several, or all with their names."""
    pods.output(once("a", shell("echo one"), shell("echo two", name="other")))

    def logs(*options: str) -> list[str]:
        return sorted(kubectl("logs", "-n", namespace, "a", *options).stdout.splitlines())

    assert logs("-c", "other") == ["two"]
    assert logs("--all-containers", "--prefix") == ["[pod/a/main] one", "[pod/a/other] two"]


@pytest.mark.cite("Kubectl client Simple pod should return command exit codes execing into a container")
@pytest.mark.cite("Kubectl client Simple pod should support exec")
@pytest.mark.needs(EXEC)
def test_exec(pods: Pods, inside: Inside) -> None:
    """Kubectl exec should keep a command's output, errors and exit code apart, in the container that is named."""
    pods.start(lasting("a", shell(FOREVER), shell(FOREVER, name="other", env=[{"name": "WHO", "value": "other"}])))
    done = inside("a", "echo out; echo err >&2; exit 42", check=False)

    assert (done.stdout, done.stderr.splitlines()[0], done.code) == ("out\n", "err", 42)
    assert inside("a", "echo $WHO", container="other").stdout == "other\n"


@pytest.mark.cite("Kubectl client Simple pod should support exec using resource/name")
@pytest.mark.needs(EXEC)
def test_exec_with_input(namespace: str, pods: Pods, kubectl: Kubectl) -> None:
    """Kubectl exec should hand its input to the command, to the last byte."""
    pods.start(lasting("a", shell(FOREVER)))
    text = "0123456789abcdef\n" * 8192
    said = kubectl("exec", "-n", namespace, "-i", "pod/a", "--", "wc", "-c", stdin=text, timeout_s=RUN_S).stdout

    assert int(said) == len(text)


@pytest.mark.cite("Kubectl client Simple pod should support inline execution and attach")
@pytest.mark.needs("create,get pods/attach")
def test_attach(namespace: str, pods: Pods, kubectl: Kubectl) -> None:
    """Kubectl attach should hand its input to a container that runs, and show what that answers."""
    script = "read -r line; echo you said $line; sleep 1"
    pods.start(once("a", shell(script, stdin=True, stdinOnce=True)))
    said = kubectl("attach", "-n", namespace, "-i", "a", stdin="hello\n", timeout_s=RUN_S).stdout

    assert said.splitlines()[-1] == "you said hello"
    pods.end("a", phase="Succeeded")


@pytest.mark.cite(
    "Kubectl Port forwarding With a server listening on 0.0.0.0 should support forwarding over websockets"
)
@pytest.mark.needs("create,get pods/portforward")
def test_port_forward(namespace: str, pods: Pods, kubectl: Kubectl, eventually: Eventually) -> None:
    """Kubectl port-forward should connect a port here with one of a pod, for one connection after the other."""
    pods.start(lasting("a", agnhost("netexec", "--http-port=8080")))

    with kubectl.running("port-forward", "-n", namespace, "pod/a", ":8080", timeout_s=RUN_S) as line:
        here = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080", line)
        assert here, line
        url = f"http://127.0.0.1:{here[1]}/hostname"
        # the server may listen a moment after its container runs
        assert eventually(lambda: httpx2.get(url, trust_env=False).text, timeout_s=RUN_S) == "a"
        assert httpx2.get(url, trust_env=False).text == "a"


@pytest.mark.cite("docs/reference/kubectl/generated/kubectl_cp")
@pytest.mark.needs(EXEC)
def test_copy(namespace: str, tmp_path: Path, pods: Pods, inside: Inside, kubectl: Kubectl) -> None:
    """Kubectl cp should bring a folder into a container and a file back."""
    pods.start(lasting("a", shell(FOREVER)))
    (tmp_path / "there/deep").mkdir(parents=True)
    (tmp_path / "there/deep/f").write_text("content\n")
    kubectl("cp", "-n", namespace, str(tmp_path / "there"), "a:/there", timeout_s=RUN_S)

    assert inside("a", "cat /there/deep/f").stdout == "content\n"
    kubectl("cp", "-n", namespace, "a:/there/deep/f", str(tmp_path / "back"), timeout_s=RUN_S)
    assert (tmp_path / "back").read_text() == "content\n"


@pytest.mark.cite(
    "[sig-node] Ephemeral Containers [NodeConformance] will start an ephemeral container in an existing pod [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.needs("patch pods/ephemeralcontainers")
def test_debug(namespace: str, pods: Pods, kubectl: Kubectl, eventually: Eventually) -> None:
    """Kubectl debug should add a container to a pod that runs, with the processes of the one that is looked at."""
    pods.start(lasting("a", shell("exec sleep 4321")))
    image = shell("")["image"]
    look = ("--", "sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '")
    kubectl("debug", "-n", namespace, "a", "-c", "look", f"--image={image}", "--target=main", *look, timeout_s=RUN_S)

    eventually(lambda: pods.log("a", "look").strip(), until=lambda said: said == "sleep 4321", timeout_s=RUN_S)
    assert pods.container("a").restartCount == 0


@pytest.mark.cite("[sig-network] Proxy version v1 should proxy through a service and a pod [Conformance]")
@pytest.mark.conformance
@pytest.mark.requires("services")
@pytest.mark.depends("endpointslice-controller")
@pytest.mark.needs("services", "get pods/proxy", "get services/proxy")
def test_proxy(client: Client, http: httpx2.Client, namespace: str, pods: Pods, eventually: Eventually) -> None:
    """API server should pass requests on to a pod and to a service."""
    ports = [ServicePort(port=80, targetPort=8080, protocol="TCP")]
    client.create(service("web", ports=ports), namespace=namespace)
    pods.start(lasting("a", agnhost("netexec", "--http-port=8080"), labels={"app": "web"}))

    for path in ("pods/http:a:8080", "services/web:80"):
        eventually(
            lambda path=path: http.get(f"/api/v1/namespaces/{namespace}/{path}/proxy/hostname").text,
            until=lambda said: said == "a",
            timeout_s=RUN_S,
            what=f"{path} answers through the API server",
        )
