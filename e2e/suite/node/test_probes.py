from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2e.suite.containers import EXEC, FOREVER, RUN, RUN_S, Inside, Pods, agnhost, lasting, shell
from e2e.suite.controllers import conditions

pytestmark = [pytest.mark.sig("node"), pytest.mark.requires("pods-run"), pytest.mark.needs(*RUN)]

Eventually = Callable[..., Any]
FAILS = "/redirect?location=/&code=500"  # netexec answers all paths, this one with the code
SOON = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 10}


def command(script: str) -> dict[str, Any]:
    """Return a probe that runs a script each second; one failure counts."""
    return {"exec": {"command": ["sh", "-c", script]}, **SOON}


@pytest.mark.cite(
    '[sig-node] Probing container should be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance] [Conformance]'
)
@pytest.mark.cite(
    "[sig-node] Probing container should be restarted with a /healthz http liveness probe [NodeConformance] [Conformance]"
)
@pytest.mark.cite(
    "[sig-node] Probing container should *not* be restarted with a tcp:8080 liveness probe [NodeConformance] [Conformance]"
)
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (command("true"), command("false")),
        ({"httpGet": {"path": "/healthz", "port": 8080}, **SOON}, {"httpGet": {"path": FAILS, "port": 8080}, **SOON}),
        ({"tcpSocket": {"port": 8080}, **SOON}, {"tcpSocket": {"port": 8079}, **SOON}),
    ],
    ids=["exec", "http", "tcp"],
)
def test_liveness(pods: Pods, eventually: Eventually, good: dict[str, Any], bad: dict[str, Any]) -> None:
    """Container that fails its liveness probe should be started again, the one beside it that passes should not."""
    # netexec answers at once, but not yet to a probe that comes before it listens
    good = {**good, "failureThreshold": 30}
    well = agnhost("netexec", "--http-port=8080", name="well", livenessProbe=good)
    pods.create(lasting("a", well, shell(FOREVER, name="sick", livenessProbe=bad)))

    eventually(lambda: pods.container("a", "sick").restartCount, until=lambda n: n >= 1, timeout_s=RUN_S)
    assert pods.container("a", "well").restartCount == 0


@pytest.mark.cite(
    "[sig-node] Probing container with readiness probe that fails should never be ready and never restart [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_failed_readiness_restarts_nothing(pods: Pods, eventually: Eventually) -> None:
    """Container that fails its readiness probe should not be ready and not be started again."""
    unready = shell(FOREVER, name="unready", readinessProbe=command("false"))
    # fails at the same pace: once it was started again, the other one had its chance, too
    pods.create(lasting("a", unready, shell(FOREVER, name="sick", livenessProbe=command("false"))))

    eventually(lambda: pods.container("a", "sick").restartCount, until=lambda n: n >= 1, timeout_s=RUN_S)
    found = pods.container("a", "unready")
    assert (found.started, found.ready, found.restartCount) == (True, False, 0)
    assert conditions(pods.get("a"))["Ready"] == ("False", "ContainersNotReady")


@pytest.mark.cite("docs/concepts/workloads/pods/probes#readiness-probe")
@pytest.mark.needs(EXEC)
def test_readiness_follows_the_probe(pods: Pods, inside: Inside, eventually: Eventually) -> None:
    """Pod should be ready while its readiness probe passes, and not before or afterwards."""

    def ready() -> str:
        return conditions(pods.get("a"))["Ready"][0]

    pods.create(lasting("a", shell(FOREVER, readinessProbe=command("test -e /tmp/ready"))))
    eventually(lambda: pods.container("a").started, timeout_s=RUN_S)
    assert ready() == "False"
    for script, wanted in (("touch /tmp/ready", "True"), ("rm /tmp/ready", "False")):
        inside("a", script)
        eventually(ready, until=lambda seen, wanted=wanted: seen == wanted, timeout_s=RUN_S, what=f"after {script}")


@pytest.mark.cite("docs/concepts/workloads/pods/probes#startup-probe")
@pytest.mark.needs(EXEC)
def test_startup_probe_holds_the_others_back(pods: Pods, inside: Inside, eventually: Eventually) -> None:
    """Startup probe should hold the other probes back until it passes."""
    startup = {**command("test -e /tmp/started"), "failureThreshold": 1000}
    slow = shell(FOREVER, name="slow", startupProbe=startup, livenessProbe=command("false"))
    pods.create(lasting("a", slow, shell(FOREVER, name="sick", livenessProbe=command("false"))))

    eventually(lambda: pods.container("a", "sick").restartCount, until=lambda n: n >= 1, timeout_s=RUN_S)
    held = pods.container("a", "slow")
    assert (held.started, held.ready, held.restartCount) == (False, False, 0)

    inside("a", "touch /tmp/started", container="slow")
    eventually(lambda: pods.container("a", "slow").restartCount, until=lambda n: n >= 1, timeout_s=RUN_S)


@pytest.mark.cite("docs/concepts/workloads/pods/probes#startup-probe")
def test_startup_that_takes_too_long(pods: Pods, eventually: Eventually) -> None:
    """Container that fails its startup probe as often as it may should be started again."""
    pods.create(lasting("a", shell(FOREVER, startupProbe=command("false"))))

    eventually(lambda: pods.container("a").restartCount, until=lambda n: n >= 1, timeout_s=RUN_S)
    assert pods.container("a").ready is False
