from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap

from e2e.suite.refusals import refusal

pytestmark = pytest.mark.sig("instrumentation")

HEALTH = ("healthz", "livez", "readyz")
SAMPLE = re.compile(r"^(?P<name>[a-z_:]+)(?:\{(?P<labels>.*)\})? (?P<value>[-+.\dEe]+|NaN|\+Inf)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def total(text: str, metric: str, **labels: str) -> float:
    """Return the sum of a metric's samples that carry these labels."""
    found = 0.0
    for line in text.splitlines():
        sample = SAMPLE.match(line) if line.startswith(metric) else None
        if sample and sample["name"] == metric:
            carried = dict(LABEL.findall(sample["labels"] or ""))
            if labels.items() <= carried.items():
                found += float(sample["value"])
    return found


def metrics(http: httpx2.Client, path: str = "/metrics") -> str:
    answer = http.get(path)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    return answer.text


@pytest.mark.cite(
    "docs/concepts/cluster-administration/system-metrics",
    "[sig-instrumentation] MetricsGrabber should grab all metrics from API server.",
)
@pytest.mark.needs("create configmaps", "get /metrics")
def test_requests_are_counted(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Metrics of the API server should count requests by verb, resource and code."""
    # other cases make requests too, so a counter may grow by more
    which = {"resource": "configmaps", "verb": "POST", "code": "409"}
    before = total(metrics(http), "apiserver_request_total", **which)
    client.create(ConfigMap(metadata=ObjectMeta(name="a")), namespace=namespace)
    for _ in range(3):
        refusal(lambda: client.create(ConfigMap(metadata=ObjectMeta(name="a")), namespace=namespace))
    text = metrics(http)

    assert total(text, "apiserver_request_total", **which) >= before + 3
    assert total(text, "apiserver_request_duration_seconds_count", verb="POST", resource="configmaps") >= 4
    assert "# TYPE apiserver_request_total counter" in text


@pytest.mark.cite("docs/reference/instrumentation/slis")
@pytest.mark.needs("get /metrics/slis")
def test_health_is_a_metric(http: httpx2.Client) -> None:
    """Metrics of service levels should report the health checks of the API server."""
    text = metrics(http, "/metrics/slis")

    assert total(text, "kubernetes_healthcheck", name="etcd", type="healthz") == 1
    assert total(text, "kubernetes_healthchecks_total", name="etcd", type="healthz", status="success") >= 1


@pytest.mark.parametrize("endpoint", HEALTH)
@pytest.mark.cite("docs/reference/using-api/health-checks")
@pytest.mark.needs(*(f"get /{endpoint}/no-such-check" for endpoint in HEALTH))  # the others are open to everybody
def test_health_endpoints(http: httpx2.Client, endpoint: str) -> None:
    """Health endpoints of the API server should answer ok, list their checks, and leave out one on request."""
    short = http.get(f"/{endpoint}")
    verbose = http.get(f"/{endpoint}", params={"verbose": ""}).text.splitlines()
    without = http.get(f"/{endpoint}", params={"verbose": "", "exclude": "etcd"}).text.splitlines()
    checks = [line.split()[0] for line in verbose[:-1]]

    assert (short.status_code, short.text) == (200, "ok")
    assert verbose[-1] == f"{endpoint} check passed"
    assert {"[+]ping", "[+]log", "[+]etcd"} <= set(checks)
    assert [check for check in checks if not check.startswith("[+]")] == []
    assert "[+]etcd excluded: ok" in without
    assert http.get(f"/{endpoint}/no-such-check").status_code == 404


@pytest.mark.cite("docs/reference/access-authn-authz/rbac#referring-to-resources")
@pytest.mark.needs("impersonate users")
def test_metrics_need_permission(http: httpx2.Client) -> None:
    """Metrics of the API server should be for those who are allowed to read them, its health for everybody."""
    nobody: dict[str, Any] = {"headers": {"Impersonate-User": "nobody-in-particular"}}
    codes = {path: http.get(path, **nobody).status_code for path in ("/metrics", "/readyz", "/livez", "/version")}

    assert codes == {"/metrics": 403, "/readyz": 200, "/livez": 200, "/version": 200}
